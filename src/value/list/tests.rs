//! Lists against plain vectors. (That nodes are those of the servers, the live test shows.)

#![allow(clippy::unwrap_used)]

use super::*;

fn texts(list: &List) -> Vec<Vec<u8>> {
    list.iter().map(|entry| entry.text(&mut [0; MAX_I64_TEXT]).to_vec()).collect()
}

fn check(list: &List, model: &[Vec<u8>], limits: &PackedLimits) {
    assert_eq!(list.len(), model.len());
    assert_eq!(texts(list), model);
    let mut back: Vec<Vec<u8>> = list
        .iter_from(model.len().saturating_sub(1), End::Front)
        .map(|entry| entry.text(&mut [0; MAX_I64_TEXT]).to_vec())
        .collect();
    back.reverse();
    assert_eq!(back, model);
    if let Repr::Quick(quick) = &list.0 {
        assert!(quick.is_sound());
    }
    let nodes = list.nodes().map(|node| match node {
        NodeRef::Packed(packed) => Node::Packed(Packed::from_blob(packed.as_bytes())),
        NodeRef::Plain(text) => Node::Plain(text.into()),
    });
    assert_eq!(texts(&List::from_nodes(nodes, limits)), model);
    assert_eq!(texts(&List::of(model.iter().map(Vec::as_slice), limits)), model);
}

#[test]
fn behaves_like_a_vector() {
    let limits = PackedLimits { list_node: 100, ..PackedLimits::DEFAULT };
    let mut seen = std::collections::BTreeSet::new();
    for seed in 0..60 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut list, mut model) = (List::default(), Vec::<Vec<u8>>::new());
        for _ in 0..300 {
            let text = match rng.u8(..12) {
                0 => vec![b'x'; rng.usize(..150)],
                1 => vec![b'y'; 30],
                n => i64::from(n).pow(rng.u32(..12)).to_string().into_bytes(),
            };
            let index = rng.usize(..=model.len());
            let end = if rng.bool() { End::Front } else { End::Back };
            match rng.u8(..16) {
                0..=3 => {
                    list.push_all(end, &[&text, b"z"], &limits);
                    for text in [&text[..], b"z"] {
                        model.insert(if end == End::Front { 0 } else { model.len() }, text.into());
                    }
                }
                4..=6 => {
                    let pivot = model.get(index).cloned().unwrap_or(b"none".to_vec());
                    let at = model.iter().position(|other| *other == pivot);
                    assert_eq!(list.insert(&pivot, end, &text, &limits), at.is_some());
                    if let Some(at) = at {
                        model.insert(if end == End::Front { at } else { at + 1 }, text);
                    }
                }
                7..=9 => {
                    assert_eq!(list.set(index, &text, &limits), index < model.len());
                    if let Some(place) = model.get_mut(index) {
                        *place = text;
                    }
                }
                10 | 11 => {
                    let count = rng.usize(..4);
                    let popped = list.pop(end, count, &limits);
                    let count = count.min(model.len());
                    let mut gone: Vec<_> = match end {
                        End::Front => model.drain(..count).collect(),
                        End::Back => model.drain(model.len() - count..).rev().collect(),
                    };
                    assert_eq!(popped, std::mem::take(&mut gone));
                }
                12 | 13 => {
                    let most = if rng.bool() { usize::MAX } else { rng.usize(..3) };
                    let matches: Vec<usize> =
                        (0..model.len()).filter(|at| model[*at] == text).collect();
                    let gone: Vec<usize> = match end {
                        End::Front => matches.into_iter().take(most).collect(),
                        End::Back => matches.into_iter().rev().take(most).collect(),
                    };
                    assert_eq!(list.remove(&text, most, end, &limits), gone.len());
                    let mut at = 0..;
                    model.retain(|_| !gone.contains(&at.next().unwrap()));
                }
                _ if rng.u8(..6) == 0 => {
                    let range = index..model.len().saturating_sub(rng.usize(..5)).max(index);
                    let kept = model[range.clone()].to_vec();
                    assert_eq!(list.trim(range, &limits), model.len() - kept.len());
                    model = kept;
                }
                _ => {
                    let got = list.get(index).map(|e| e.text(&mut [0; MAX_I64_TEXT]).to_vec());
                    assert_eq!(got, model.get(index).cloned());
                }
            }
            check(&list, &model, &limits);
            seen.insert(list.encoding());
        }
    }
    assert_eq!(seen.len(), 2, "every encoding came up: {seen:?}");
}

#[test]
fn giant_nodes_are_cut() {
    let packed = Packed::of((0..100_000).map(Entry::Int));
    let list = List::from_nodes([Node::Packed(packed)], &PackedLimits::DEFAULT);
    assert!(list.nodes().all(|node| match node {
        NodeRef::Packed(packed) => packed.byte_len() <= PackedLimits::DEFAULT.list_node,
        NodeRef::Plain(_) => false,
    }));
    assert_eq!(list.len(), 100_000);
    assert!(list.iter().eq((0..100_000).map(Entry::Int)));
}

/// Nodes whose entries nobody checked: their headers may lie.
#[test]
fn unchecked_nodes_do_no_harm() {
    let limits = PackedLimits { list_node: 60, ..PackedLimits::DEFAULT };
    for seed in 0..3000 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let nodes: Vec<Node> = (0..rng.usize(1..5))
            .map(|_| {
                let mut blob: Vec<u8> = (0..rng.usize(7..60)).map(|_| rng.u8(..)).collect();
                let total = (blob.len() as u32).to_le_bytes();
                blob[..4].copy_from_slice(&total);
                blob[5] = 0;
                *blob.last_mut().unwrap() = 0xff;
                Node::Packed(Packed::from_blob(blob))
            })
            .collect();
        let mut list = List::from_nodes(nodes, &limits);
        for _ in 0..30 {
            let end = if rng.bool() { End::Front } else { End::Back };
            match rng.u8(..6) {
                0 => list.push_all(end, &[b"1", b"x"], &limits),
                1 => drop(list.pop(end, rng.usize(..5), &limits)),
                2 => drop(list.set(rng.usize(..200), b"x", &limits)),
                3 => drop(list.insert(b"x", end, &[b'y'; 50], &limits)),
                4 => drop(list.remove(b"x", 1, end, &limits)),
                _ => drop(list.trim(rng.usize(..20)..rng.usize(..1000), &limits)),
            }
            list.iter().count();
            list.memory();
        }
    }
}
