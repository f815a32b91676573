//! Sorting and selection against the standard library's stable sort.

use proptest::prelude::*;
use quern::strategies::sort::items;
use quern_kernels::sort::{argsort, largest, sort};

/// Indices in the order of a stable sort; the zeros are equal.
fn stable(x: &[f64], descending: bool) -> Vec<u32> {
    let mut order: Vec<u32> = (0..x.len() as u32).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (x[a as usize], x[b as usize]);
        let ordering = a.partial_cmp(&b).expect("no NaN among the items");
        if descending { ordering.reverse() } else { ordering }
    });
    order
}

proptest! {
    #[test]
    fn argsort_is_a_stable_sort(x in items(200)) {
        let mut order = vec![0; x.len()];
        argsort(&x, &mut order).unwrap();
        prop_assert_eq!(order, stable(&x, false));
    }

    #[test]
    fn sort_rises_and_keeps_every_number(x in items(200)) {
        let mut sorted = x.clone();
        sort(&mut sorted).unwrap();
        prop_assert!(sorted.is_sorted());
        let bits = |values: &[f64]| {
            let mut bits: Vec<u64> = values.iter().map(|value| value.to_bits()).collect();
            bits.sort();
            bits
        };
        prop_assert_eq!(bits(&sorted), bits(&x));
    }

    #[test]
    fn largest_is_the_head_of_a_stable_sort(x in items(200), share in 0.0..1.0f64) {
        let k = (share * x.len() as f64).round() as usize;
        let mut indices = vec![0; k];
        largest(&x, &mut indices).unwrap();
        prop_assert_eq!(&indices[..], &stable(&x, true)[..k]);
    }
}
