use super::{PAGE, Pages};

#[test]
fn a_place_begins_empty_and_its_page_goes_with_the_last_one() {
    let mut pages = Pages::<Vec<u32>>::default();
    assert_eq!(pages.at(0), None);
    for round in 0..2 {
        for index in 0..1000 {
            pages.open(index);
            let place = pages.at(index).expect("open");
            assert!(place.is_empty(), "{round} {index}: {place:?}");
            place.push(index as u32);
        }
        let allocated = |pages: &Pages<_>| pages.pages.iter().flatten().count();
        assert_eq!(allocated(&pages), 1000usize.div_ceil(PAGE));
        // All but one go: its page stays.
        for index in (0..1000).filter(|index| *index != 500) {
            assert_eq!(pages.close(index), Some(vec![index as u32]));
            assert_eq!(pages.at(index), None);
        }
        assert_eq!(allocated(&pages), 1);
        assert_eq!(pages.pages.len(), 500 / PAGE + 1);
        assert_eq!(pages.close(500), Some(vec![500]));
        assert_eq!((pages.pages.len(), pages.close(500)), (0, None));
        assert!(pages.pages.capacity() < 8, "{}", pages.pages.capacity());
    }
}
