//! Doubly linked lists whose links lie in what is listed: joining, leaving and moving to the end take
//! the same time however long a list is, and no allocation.

/// No node.
pub(crate) const NONE: u32 = u32::MAX;

/// The neighbours of a node in its list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    prev: u32,
    next: u32,
}

impl Link {
    /// Of a node that is in no list.
    pub(crate) const NONE: Self = Self {
        prev: NONE,
        next: NONE,
    };
}

/// Where the links of nodes lie.
pub(crate) trait Links {
    /// The link of a node; [`NONE`] has none.
    fn link(&mut self, node: u32) -> Option<&mut Link>;
}

/// In which list of the engine's a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In none: it has ended.
    None,
    HalfOpen,
    /// Released by its user, and closing.
    Ownerless,
    /// Its peer's.
    Peer,
}

/// A list of nodes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    first: u32,
    last: u32,
}

impl List {
    pub(crate) const EMPTY: Self = Self {
        first: NONE,
        last: NONE,
    };

    pub(crate) fn first(&self) -> Option<u32> {
        (self.first != NONE).then_some(self.first)
    }

    /// Adds a node that is in no list of these links.
    pub(crate) fn push_back(&mut self, links: &mut impl Links, node: u32) {
        if let Some(link) = links.link(node) {
            *link = Link {
                prev: self.last,
                next: NONE,
            };
        }
        match links.link(self.last) {
            Some(last) => last.next = node,
            None => self.first = node,
        }
        self.last = node;
    }

    /// Takes out a node that is in this list.
    pub(crate) fn remove(&mut self, links: &mut impl Links, node: u32) {
        let Some(link) = links.link(node) else {
            return;
        };
        let Link { prev, next } = core::mem::replace(link, Link::NONE);
        match links.link(prev) {
            Some(before) => before.next = next,
            None => self.first = next,
        }
        match links.link(next) {
            Some(after) => after.prev = prev,
            None => self.last = prev,
        }
    }

    /// Moves the first node to the end and returns it.
    pub(crate) fn rotate(&mut self, links: &mut impl Links) -> Option<u32> {
        let node = self.first()?;
        if self.first != self.last {
            self.remove(links, node);
            self.push_back(links, node);
        }
        Some(node)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::{Link, Links, List};

    struct Nodes(Vec<Link>);

    impl Links for Nodes {
        fn link(&mut self, node: u32) -> Option<&mut Link> {
            self.0.get_mut(node as usize)
        }
    }

    #[test]
    fn agrees_with_a_deque() {
        let mut nodes = Nodes(vec![Link::NONE; 20]);
        let (mut list, mut model) = (List::EMPTY, VecDeque::new());
        let mut state = 1_u64;
        for _ in 0..5000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let node = (state >> 40) as u32 % 20;
            if state >> 62 == 0 {
                let first = model.pop_front();
                model.extend(first);
                assert_eq!(list.rotate(&mut nodes), first);
            } else if let Some(at) = model.iter().position(|other| *other == node) {
                model.remove(at);
                list.remove(&mut nodes, node);
            } else {
                model.push_back(node);
                list.push_back(&mut nodes, node);
            }
            assert_eq!(list.first(), model.front().copied());
        }
        for node in model {
            assert_eq!(list.first(), Some(node));
            list.remove(&mut nodes, node);
        }
        assert_eq!(list.first(), None);
    }
}
