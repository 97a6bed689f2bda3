//! The pieces that count: places of connections, bytes of calls, bytes of answers, and the place of a group's leader.

use crate::{
    answers::Answers,
    budget::Budget,
    explore,
    slots::{Class, Slots},
    target::Target,
};
use loom::{sync::mpsc::channel, thread};
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

/// One thread accepts two connections, as the port does, while others end. `acceptors`: so many threads accept instead, which production does not do.
pub fn slots(name: &str, max: usize, acceptors: usize) {
    explore(name, None, move || {
        let slots = Slots::new(max);
        let accept = move |slots: &Arc<Slots>| {
            let slot = slots.stranger().and_then(|slot| slot.promote(Class::Http));
            let (strangers, others) = (slots.count(Class::Stranger), slots.count(Class::Http));
            assert!(strangers <= 1 && others < max, "{strangers} and {others} are in {max} places, of which one is for strangers");
            slot
        };
        let threads: Vec<_> = (1..acceptors)
            .map(|_| {
                let slots = slots.clone();
                thread::spawn(move || drop(accept(&slots)))
            })
            .collect();
        let first = accept(&slots);
        let ends = thread::spawn(move || drop(first));
        drop(accept(&slots));
        for thread in threads.into_iter().chain([ends]) {
            thread.join().unwrap();
        }
        for class in [Class::Stranger, Class::Http] {
            assert_eq!(slots.count(class), 0, "{class:?}");
        }
    });
}

/// Three calls take from one budget that has room for two; one takes in two parts.
pub fn budget(name: &str) {
    explore(name, None, || {
        let (budget, granted) = (Budget::new(2), Arc::new(AtomicUsize::new(0)));
        let call = |budget: &Budget, granted: &AtomicUsize, parts: &[usize]| {
            let (mut taken, mut mine) = (budget.taken(), 0);
            for bytes in parts {
                if taken.add(*bytes).is_err() {
                    break;
                }
                mine += bytes;
                let all = granted.fetch_add(*bytes, SeqCst) + bytes;
                assert!(all <= 2, "{all} of 2 are granted");
            }
            granted.fetch_sub(mine, SeqCst);
        };
        let calls: Vec<_> = [1, 2]
            .map(|bytes| {
                let (budget, granted) = (budget.clone(), granted.clone());
                thread::spawn(move || call(&budget, &granted, &[bytes]))
            })
            .into();
        call(&budget, &granted, &[1, 1]);
        for call in calls {
            call.join().unwrap();
        }
        assert_eq!(budget.taken().add(2), Ok(()), "all came back");
    });
}

/// The applier gives two answers and a shard takes them. `late`: they are counted when they have left, which production does not do.
pub fn answers(name: &str, late: bool) {
    explore(name, None, move || {
        const MAX: usize = 10;
        let (answers, (sender, receiver)) = (Answers::new(), channel());
        let shard = thread::spawn({
            let answers = answers.clone();
            move || (0..2).for_each(|_| answers.take(receiver.recv().unwrap()))
        });
        for bytes in [7, 8] {
            let before = answers.room(MAX);
            if !late {
                answers.give(bytes);
            }
            sender.send(bytes).unwrap();
            if late {
                answers.give(bytes);
            }
            assert!(before <= MAX && answers.room(MAX) <= MAX);
        }
        shard.join().unwrap();
        assert_eq!(answers.room(MAX), MAX, "all were taken");
    });
}

/// Two requests fail at the first address, one of them at the second as well; nobody goes back.
pub fn target(name: &str) {
    explore(name, None, || {
        let target = Arc::new(Target::new());
        let other = thread::spawn({
            let target = target.clone();
            move || target.rotate(0, 3)
        });
        target.rotate(0, 3);
        target.rotate(1, 3);
        other.join().unwrap();
        assert_eq!(target.place(3), Some(2));
    });
}
