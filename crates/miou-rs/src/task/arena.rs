//! Where the tasks of a scheduler are.
//!
//! Tasks are kept with others of their *kind*: those of the same type of future
//! that were spawned at the same place in the program, and so have all in common
//! that a [`Block`] says. The first few tasks of a kind, and large ones, have a
//! block each; the others lie in [`Page`]s. So a program with three tasks does
//! not pay for pages, and one with a hundred thousand pays nothing but the
//! header for each.
//!
//! A page is given back when its last task goes, but a few are kept for tasks of
//! whatever kind that come. A task that lives on keeps its page, 4 KiB, whose
//! other places only tasks of the same kind can take: of 100,000 tasks with a
//! small future of which every thousandth lives on, an eighth of the memory
//! stays.
//!
//! No code of others runs in here, so nothing in here is changed meanwhile.

use core::cell::{Cell, RefCell};
use core::hash::{BuildHasherDefault, Hash, Hasher};
use core::panic::Location;
use core::ptr;
use std::collections::HashMap;
use std::sync::Arc;

use super::block::{self, Block, BlockRef, Page, PageRef};
use super::list::{Linked, List};
use super::raw::{TaskRef, VTable};
use super::shared::Shared;

/// All tasks of a scheduler.
pub(crate) struct Arena {
    lone: List<Block>,
    pages: List<Block>,
    kinds: RefCell<Kinds>,
    /// Pages without tasks, still with their kinds.
    spare: [Cell<Option<PageRef>>; 4],
}

/// As many tasks of a kind are allocated one by one before there is a page.
const LONE_TASKS: u8 = 8;

/// The kinds of which there ever was a task: no more than the program has
/// places that spawn.
#[derive(Default)]
struct Kinds {
    list: Vec<Kind>,
    index: HashMap<(usize, usize), u32, BuildHasherDefault<Mix>>,
    last: u32,
}

struct Kind {
    vtable: &'static VTable,
    location: &'static Location<'static>,
    /// How many tasks were spawned, up to `LONE_TASKS`.
    spawned: u8,
    /// The pages with a free place.
    room: List<Page>,
}

impl Kinds {
    /// The index of a kind.
    #[inline]
    fn find(&mut self, vtable: &'static VTable, location: &'static Location<'static>) -> u32 {
        let is_last = |kind: &Kind| {
            ptr::eq(kind.vtable, vtable) && identity(kind.location) == identity(location)
        };
        if !self.list.get(self.last as usize).is_some_and(is_last) {
            self.last = self.look_up(vtable, location);
        }
        self.last
    }

    fn look_up(&mut self, vtable: &'static VTable, location: &'static Location<'static>) -> u32 {
        let key = (ptr::from_ref(vtable).addr(), identity(location));
        *self.index.entry(key).or_insert_with(|| {
            self.list.push(Kind {
                vtable,
                location,
                spawned: 0,
                room: List::new(),
            });
            // As many kinds would take terabytes of program.
            (self.list.len() - 1) as u32
        })
    }
}

/// Tells places in the program apart: by address, as each is a static. Not
/// under Miri, which makes a new one each time: there every task would be lone.
#[inline]
fn identity(location: &'static Location<'static>) -> usize {
    if cfg!(miri) {
        let mut mix = Mix::default();
        location.hash(&mut mix);
        return mix.0 as usize;
    }
    ptr::from_ref(location).addr()
}

impl Arena {
    pub(crate) fn new() -> Self {
        Self {
            lone: List::new(),
            pages: List::new(),
            kinds: RefCell::default(),
            spare: Default::default(),
        }
    }

    /// A place for a task, and whether that has its block to itself. The caller
    /// writes the header at once.
    #[inline]
    pub(super) fn reserve(
        &self,
        shared: *const Shared,
        vtable: &'static VTable,
        location: &'static Location<'static>,
    ) -> (TaskRef, bool) {
        let mut kinds = self.kinds.borrow_mut();
        let index = kinds.find(vtable, location);
        let kind = &mut kinds.list[index as usize];
        let page = match kind.room.first() {
            Some(page) => page,
            None if kind.spawned < LONE_TASKS || !vtable.places.fit_in_pages() => {
                kind.spawned = kind.spawned.saturating_add(1);
                return (self.lone(Block::new(shared, vtable, location)), true);
            }
            None => {
                let page = self.new_page(&kinds);
                // SAFETY: it is ours, as are the lists that it is put in.
                unsafe {
                    page.write(Page::new(Block::new(shared, vtable, location), index));
                    self.pages.push(page.cast());
                    kinds.list[index as usize].room.push(page);
                }
                page
            }
        };
        // SAFETY: pages leave the list before they are freed, or when they have
        // no room left.
        unsafe {
            if page.as_ref().count() == 0 {
                self.revive(page);
            }
            let task = Page::take_place(page);
            if !page.as_ref().has_room() {
                kinds.list[index as usize].room.remove(page);
            }
            (task, false)
        }
    }

    #[inline(never)]
    fn lone(&self, block: Block) -> TaskRef {
        let (block, task) = block.new_lone();
        // SAFETY: `free` takes it out of the list before it goes.
        unsafe { self.lone.push(block) };
        task
    }

    /// A page that is in no list: a spare one, or a new one.
    #[inline(never)]
    fn new_page(&self, kinds: &Kinds) -> PageRef {
        match self.spare.iter().find_map(Cell::take) {
            Some(page) => {
                self.take_out(page, kinds);
                page
            }
            None => Page::allocate(),
        }
    }

    /// A page without tasks, spare or new, gets one.
    fn revive(&self, page: PageRef) {
        if let Some(spare) = self.spare.iter().find(|spare| spare.get() == Some(page)) {
            spare.set(None);
        }
    }

    /// Takes a page that has room out of the lists.
    fn take_out(&self, page: PageRef, kinds: &Kinds) {
        // SAFETY: a page without tasks is in these two lists.
        unsafe {
            kinds.list[page.as_ref().kind as usize].room.remove(page);
            self.pages.remove(page.cast());
        }
    }

    /// Gives back the memory of a task.
    ///
    /// # Safety
    ///
    /// It is a task of this arena, nobody refers to it any more, and its stage
    /// is empty.
    #[inline]
    pub(crate) unsafe fn free(&self, task: TaskRef) {
        // SAFETY: by contract, and as for the lists, see `reserve`.
        unsafe {
            if task.as_ref().remote.is_lone() {
                self.lone.remove(block::address_of(task));
                block::free_lone(task);
                return;
            }
            let page = block::page_of(task);
            if !page.as_ref().has_room() {
                let kinds = self.kinds.borrow();
                kinds.list[page.as_ref().kind as usize].room.push(page);
            }
            Page::give_back_place(page, task);
            if page.as_ref().count() == 0 {
                self.emptied(page);
            }
        }
    }

    /// A page has lost its last task.
    fn emptied(&self, page: PageRef) {
        if let Some(spare) = self.spare.iter().find(|spare| spare.get().is_none()) {
            spare.set(Some(page));
        } else {
            self.give_back(page, &self.kinds.borrow());
        }
    }

    /// Gives back a page without tasks.
    fn give_back(&self, page: PageRef, kinds: &Kinds) {
        self.take_out(page, kinds);
        // SAFETY: no task is in it, and it is in no list.
        unsafe { Page::deallocate(page) };
    }

    /// All tasks that have memory, in no particular order. None may be freed
    /// meanwhile.
    pub(crate) fn tasks(&self) -> impl Iterator<Item = TaskRef> {
        core::iter::successors(self.first_task(), |task| {
            // SAFETY: see above.
            unsafe { self.task_after(*task) }
        })
    }

    /// The first of all tasks.
    pub(crate) fn first_task(&self) -> Option<TaskRef> {
        self.task_of_block(self.pages.first())
    }

    /// The task after `task`. New ones are not always seen.
    ///
    /// # Safety
    ///
    /// `task` is one of this arena that has not been freed.
    pub(crate) unsafe fn task_after(&self, task: TaskRef) -> Option<TaskRef> {
        // SAFETY: by contract; blocks leave the lists before they are freed.
        unsafe {
            if task.as_ref().remote.is_lone() {
                let next = block::of(task).links().next();
                return next.map(|block| Block::lone_task(block));
            }
            let page = block::page_of(task);
            Page::next_task(page, Some(task))
                .or_else(|| self.task_of_block(block::of(task).links().next()))
        }
    }

    /// The first task of this page or of those after it, or the first lone one.
    fn task_of_block(&self, mut block: Option<BlockRef>) -> Option<TaskRef> {
        // SAFETY: blocks leave the lists before they are freed; these are
        // pages.
        unsafe {
            while let Some(page) = block {
                if let Some(task) = Page::next_task(page.cast(), None) {
                    return Some(task);
                }
                block = page.as_ref().links().next();
            }
            self.lone.first().map(|block| Block::lone_task(block))
        }
    }

    /// The scheduler ends: from here on each block has a count on `shared` and
    /// goes by itself, when the last reference to its tasks is given back.
    ///
    /// # Safety
    ///
    /// The caller moves the references to all tasks to where they are counted
    /// then, and neither spawns nor frees here any more.
    pub(crate) unsafe fn sever(&self) {
        for page in self.spare.iter().filter_map(Cell::take) {
            self.give_back(page, &self.kinds.borrow());
        }
        // SAFETY: blocks leave the lists before they are freed, and in the
        // first are pages.
        unsafe {
            let mut pages = self.pages.first();
            while let Some(block) = pages {
                Page::prepare_to_go(block.cast());
                pages = block.as_ref().links().next();
            }
            for list in [&self.pages, &self.lone] {
                let mut blocks = list.first();
                while let Some(block) = blocks {
                    Arc::increment_strong_count(block.as_ref().shared);
                    blocks = block.as_ref().links().next();
                }
            }
        }
    }
}

/// A hash of addresses, which nobody chooses who could want them to collide.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        // The table takes its index from the low bits, which are the poorest.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize((*byte).into());
        }
    }

    fn write_usize(&mut self, word: usize) {
        // The multiplier is 2^64 divided by the golden ratio (Knuth, "The Art
        // of Computer Programming", volume 3, 6.4).
        self.0 = (self.0.rotate_left(32) ^ word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
