//! A table by small numbers that gives its memory back.

/// Places in a page.
const PAGE: usize = 16;

/// Places by index, in pages that are there only while one of their places is open.
#[derive(Debug)]
pub(crate) struct Pages<T> {
    pages: Vec<Option<Box<Page<T>>>>,
    /// An empty page, so that one place which is opened and closed again does not allocate.
    spare: Option<Box<Page<T>>>,
}

#[derive(Debug)]
struct Page<T> {
    /// A bit for each place that is open.
    open: u16,
    places: [T; PAGE],
}

impl<T> Default for Pages<T> {
    fn default() -> Self {
        Self {
            pages: Vec::new(),
            spare: None,
        }
    }
}

impl<T: Default> Pages<T> {
    /// Opens a place, which is as `T::default()` is.
    pub(crate) fn open(&mut self, index: usize) {
        let (page, place) = (index / PAGE, index % PAGE);
        if page >= self.pages.len() {
            self.pages.resize_with(page + 1, || None);
        }
        let spare = &mut self.spare;
        let page = self.pages[page].get_or_insert_with(|| {
            spare.take().unwrap_or_else(|| {
                Box::new(Page {
                    open: 0,
                    places: std::array::from_fn(|_| T::default()),
                })
            })
        });
        page.open |= 1 << place;
    }

    /// A place that is open.
    #[inline]
    pub(crate) fn at(&mut self, index: usize) -> Option<&mut T> {
        let page = self.pages.get_mut(index / PAGE)?.as_mut()?;
        let place = index % PAGE;
        (page.open & (1 << place) != 0).then(|| &mut page.places[place])
    }

    /// Closes a place and returns what was in it.
    pub(crate) fn close(&mut self, index: usize) -> Option<T> {
        let value = std::mem::take(self.at(index)?);
        let slot = self.pages.get_mut(index / PAGE)?;
        let page = slot.as_mut()?;
        page.open &= !(1 << (index % PAGE));
        if page.open == 0 {
            self.spare = slot.take();
            self.shrink();
        }
        Some(value)
    }

    /// What is in the open places.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.pages
            .iter_mut()
            .flatten()
            .flat_map(|page| &mut page.places)
    }

    fn shrink(&mut self) {
        while let Some(None) = self.pages.last() {
            self.pages.pop();
        }
        if self.pages.len() * 4 < self.pages.capacity() {
            self.pages.shrink_to(self.pages.len() * 2);
        }
    }
}

#[cfg(test)]
mod tests;
