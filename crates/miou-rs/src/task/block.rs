//! The memory of tasks: blocks with one task, or with a page of them.
//!
//! What is the same for all tasks of a block stands once, at its beginning, and
//! is found from the address of a task: right before a task that has its block
//! to itself, else where the page begins, which is the address without its low
//! bits. [`RemoteState::is_lone`](super::state::RemoteState::is_lone) tells which.

use core::cell::Cell;
use core::panic::Location;
use core::ptr::NonNull;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::sync::Arc;

use super::list::{Linked, Links};
use super::raw::{Header, TaskRef, VTable};
use super::shared::Shared;
use super::state::{State, Survivors, flag};

pub(crate) type BlockRef = NonNull<Block>;
pub(crate) type PageRef = NonNull<Page>;

/// What all tasks of a block have in common.
pub(crate) struct Block {
    pub(crate) shared: *const Shared,
    pub(crate) vtable: &'static VTable,
    pub(crate) location: &'static Location<'static>,
    /// In the list of all blocks.
    links: Links<Block>,
}

/// A block for many tasks of one kind, each in a place of the same size.
///
/// Places that were never used follow each other up to the end; those that were
/// are a list.
// C: the address of the page is that of its block.
#[repr(C)]
pub(crate) struct Page {
    block: Block,
    /// In its kind's list of pages with a free place.
    links: Links<Page>,
    /// Which kind that is.
    pub(crate) kind: u32,
    /// Offset of the first free place that was used before, or 0.
    free: Cell<u16>,
    /// Offset of the first place that was never used.
    unused: Cell<u16>,
    /// How many tasks there are.
    tasks: Cell<u16>,
    /// The size of a place.
    size: u16,
    survivors: Survivors,
}

/// Pages are aligned to this. So much is kept by one task that lives on: a
/// larger page would save no more than a fraction of a byte for each task.
const PAGE: usize = 4096;

/// A page is a little smaller than its alignment: allocators keep some words
/// with each block, and two pages can be neighbours only with these between.
const PAGE_LAYOUT: Layout = match Layout::from_size_align(PAGE - 32, PAGE) {
    Ok(layout) => layout,
    Err(_) => panic!("a valid layout"),
};

/// A place may take so much of a page: at least seven fit in, and less than an
/// eighth is lost at its end.
const MAX_PLACE: usize = PAGE / 8;

/// How the tasks of one type of future lie in memory.
pub(crate) struct Places {
    /// A block with one task.
    lone: Layout,
    /// Offset of its [`Block`].
    lone_block: usize,
    /// The size of a place in a page; 0 if it would be too large for one.
    size: u16,
    /// Offset of the first place in a page.
    first: u16,
}

impl Places {
    /// For tasks of a header and, right behind it, such a stage.
    pub(crate) const fn new(stage: Layout) -> Self {
        const HEADER: usize = size_of::<Header>();
        let mut align = align_of::<Page>();
        if stage.align() > align {
            align = stage.align();
        }
        let stage_offset = (size_of::<Block>() + HEADER).next_multiple_of(align);
        let Ok(lone) = Layout::from_size_align(stage_offset + stage.size(), align) else {
            panic!("the future is too large")
        };
        let mut places = Self {
            lone,
            lone_block: stage_offset - HEADER - size_of::<Block>(),
            size: 0,
            first: 0,
        };
        let size = (HEADER + stage.size()).next_multiple_of(align);
        if size <= MAX_PLACE {
            places.size = size as u16;
            places.first = ((size_of::<Page>() + HEADER).next_multiple_of(align) - HEADER) as u16;
        }
        places
    }

    pub(crate) const fn fit_in_pages(&self) -> bool {
        self.size != 0
    }
}

// A place is aligned for a header, as are the stage behind it and the block
// before it, and offsets in a page fit in 16 bits and in the count of a `State`.
const _: () = assert!(
    size_of::<Header>().is_multiple_of(align_of::<Page>())
        && align_of::<Header>() <= align_of::<Page>()
        && align_of::<Block>() <= align_of::<Page>()
        && PAGE <= 1 << 15
);

/// The block in which a task is.
///
/// # Safety
///
/// `task` has not been freed.
#[inline]
pub(crate) unsafe fn address_of(task: TaskRef) -> BlockRef {
    // SAFETY: by contract; the address of a task may be used for the whole
    // block, as `new_lone` and `take_place` derive it from the block's. Before
    // a lone task lies its `Block`. A page is aligned to `PAGE` and no larger,
    // so the masked address is that of the page, which is not null.
    unsafe {
        if task.as_ref().remote.is_lone() {
            task.byte_sub(size_of::<Block>()).cast()
        } else {
            let page = task.as_ptr().map_addr(|address| address & !(PAGE - 1));
            NonNull::new_unchecked(page.cast())
        }
    }
}

/// What a task has in common with others.
///
/// # Safety
///
/// `task` is not freed as long as the reference returned is used.
#[inline]
pub(crate) unsafe fn of<'a>(task: TaskRef) -> &'a Block {
    // SAFETY: a block is freed after the last of its tasks.
    unsafe { address_of(task).as_ref() }
}

/// The page in which a task is that is not lone.
///
/// # Safety
///
/// `task` has not been freed, and is not lone.
#[inline]
pub(crate) unsafe fn page_of(task: TaskRef) -> PageRef {
    // SAFETY: by contract. `Page` begins with its `Block`.
    unsafe { address_of(task).cast() }
}

impl Block {
    pub(crate) const fn new(
        shared: *const Shared,
        vtable: &'static VTable,
        location: &'static Location<'static>,
    ) -> Self {
        Self {
            shared,
            vtable,
            location,
            links: Links::new(),
        }
    }

    /// Allocates a block with a place for one task, whose header is not yet
    /// written.
    pub(crate) fn new_lone(self) -> (BlockRef, TaskRef) {
        let places = &self.vtable.places;
        let base = allocate(places.lone);
        // SAFETY: the block, the header and the stage lie one after another in
        // the allocation, by `Places::new`, and each is aligned.
        unsafe {
            let block: BlockRef = base.byte_add(places.lone_block).cast();
            block.write(self);
            (block, Self::lone_task(block))
        }
    }

    /// The task of a lone block.
    ///
    /// # Safety
    ///
    /// `block` was made by `new_lone` and has not been freed.
    pub(crate) unsafe fn lone_task(block: BlockRef) -> TaskRef {
        // SAFETY: by contract, a header comes behind the block.
        unsafe { block.add(1).cast() }
    }

    /// # Safety
    ///
    /// `block` was made by `new_lone`, and nobody refers to it any more.
    unsafe fn free_lone(block: BlockRef) {
        // SAFETY: by contract, so this is where `new_lone` put it.
        unsafe {
            let places = &block.as_ref().vtable.places;
            let base = block.byte_sub(places.lone_block);
            dealloc(base.as_ptr().cast(), places.lone);
        }
    }
}

impl Page {
    /// Allocates a page, which is not yet written.
    pub(crate) fn allocate() -> PageRef {
        allocate(PAGE_LAYOUT).cast()
    }

    /// A page without tasks.
    pub(crate) fn new(block: Block, kind: u32) -> Self {
        Self {
            unused: Cell::new(block.vtable.places.first),
            size: block.vtable.places.size,
            block,
            links: Links::new(),
            kind,
            free: Cell::new(0),
            tasks: Cell::new(0),
            survivors: Survivors::none(),
        }
    }

    pub(crate) fn count(&self) -> u16 {
        self.tasks.get()
    }

    /// Whether there is a free place.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        self.free.get() != 0 || usize::from(self.unused.get() + self.size) <= PAGE_LAYOUT.size()
    }

    /// Takes a free place, in which a header has to be written at once.
    ///
    /// # Safety
    ///
    /// `page` has not been freed, and has room.
    #[inline]
    pub(crate) unsafe fn take_place(page: PageRef) -> TaskRef {
        // SAFETY: by contract; the offsets are of places in the page, and one
        // that is in the list of free ones has a header that says so.
        unsafe {
            let this = page.as_ref();
            this.tasks.set(this.tasks.get() + 1);
            let free = this.free.get();
            if free == 0 {
                let offset = this.unused.get();
                this.unused.set(offset + this.size);
                return page.byte_add(offset.into()).cast();
            }
            let task: TaskRef = page.byte_add(free.into()).cast();
            this.free.set(task.as_ref().state.next_free());
            task
        }
    }

    /// Gives back the place of a task.
    ///
    /// # Safety
    ///
    /// It is a task of this page, which nobody refers to any more, and whose
    /// stage is empty.
    #[inline]
    pub(crate) unsafe fn give_back_place(page: PageRef, task: TaskRef) {
        // SAFETY: by contract.
        unsafe {
            let this = page.as_ref();
            this.tasks.set(this.tasks.get() - 1);
            (&raw mut (*task.as_ptr()).state).write(State::free(this.free.get()));
            this.free
                .set((task.addr().get() - page.addr().get()) as u16);
        }
    }

    /// The first task of a page behind `before`, or at all.
    ///
    /// # Safety
    ///
    /// `page` has not been freed, nor has `before`, a task in it.
    pub(crate) unsafe fn next_task(page: PageRef, before: Option<TaskRef>) -> Option<TaskRef> {
        // SAFETY: by contract; all places before `unused` have a header, of a
        // task or of a free place.
        unsafe {
            let this = page.as_ref();
            let mut offset = match before {
                None => this.block.vtable.places.first,
                Some(task) => (task.addr().get() - page.addr().get()) as u16 + this.size,
            };
            while offset < this.unused.get() {
                let task: TaskRef = page.byte_add(offset.into()).cast();
                if !task.as_ref().state.has(flag::FREE) {
                    return Some(task);
                }
                offset += this.size;
            }
            None
        }
    }

    /// Before the scheduler's end: from then on each task that is left gives up
    /// its part.
    ///
    /// # Safety
    ///
    /// `page` has not been freed.
    pub(crate) unsafe fn prepare_to_go(page: PageRef) {
        // SAFETY: by contract.
        let this = unsafe { page.as_ref() };
        this.survivors.set(this.tasks.get().into());
    }

    /// # Safety
    ///
    /// `page` was made by `allocate`, and nobody refers to it any more.
    pub(crate) unsafe fn deallocate(page: PageRef) {
        // SAFETY: by contract.
        unsafe { dealloc(page.as_ptr().cast(), PAGE_LAYOUT) }
    }
}

impl Linked for Block {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl Linked for Page {
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

/// Frees the block of a lone task.
///
/// # Safety
///
/// `task` is lone, its stage is empty, and nobody refers to it any more.
pub(crate) unsafe fn free_lone(task: TaskRef) {
    // SAFETY: by contract.
    unsafe { Block::free_lone(address_of(task)) }
}

/// Lets go of a task to which nobody refers any more, after the scheduler's
/// end.
///
/// # Safety
///
/// The caller is alone with the task, whose stage is empty, and whose block has
/// a count on its `Shared`.
pub(crate) unsafe fn let_go(task: TaskRef) {
    // SAFETY: by contract. A page goes when the last of its tasks has given up
    // its part of it.
    unsafe {
        let shared = of(task).shared;
        if task.as_ref().remote.is_lone() {
            free_lone(task);
        } else {
            let page = page_of(task);
            if !page.as_ref().survivors.give_back() {
                return;
            }
            Page::deallocate(page);
        }
        drop(Arc::from_raw(shared));
    }
}

fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: the layouts of blocks and pages have a size.
    let base = NonNull::new(unsafe { alloc(layout) });
    base.unwrap_or_else(|| handle_alloc_error(layout))
}
