//! A recorded run in memory, to be damaged and written again.

use roadstead::trace::{Header, MAGIC, encode_frame, file_name};
use roadstead_conformance::{
    files,
    stream::{Next, Stream},
};
use roadstead_spec::trace::{Fact, Record, What};
use std::{fs, path::Path};

/// All boots of all nodes.
#[derive(Clone)]
pub(crate) struct Tape {
    pub(crate) boots: Vec<Boot>,
}

/// The file of one boot.
#[derive(Clone)]
pub(crate) struct Boot {
    pub(crate) header: Header,
    pub(crate) records: Vec<Record>,
}

/// Boot, record.
pub(crate) type At = (usize, usize);

impl Tape {
    pub(crate) fn read(folder: &Path) -> Self {
        let mut boots = Vec::new();
        for (node, files) in files::find(folder).unwrap() {
            for file in files {
                let header = file.header.clone();
                let mut stream = Stream::new(node, vec![file]);
                let mut records = Vec::new();
                while stream.peek().unwrap().is_some() {
                    if let Some(Next::Record(_, record)) = stream.take() {
                        records.push(record);
                    }
                }
                boots.push(Boot { header, records });
            }
        }
        Self { boots }
    }

    pub(crate) fn write(&self, folder: &Path) {
        for Boot { header, records } in &self.boots {
            let mut bytes = MAGIC.to_vec();
            encode_frame(header, &mut bytes).unwrap();
            records.iter().for_each(|record| encode_frame(&(record.sequence, &record.what), &mut bytes).unwrap());
            fs::write(folder.join(file_name(header.node, header.boot)), bytes).unwrap();
        }
    }

    /// Every record with a fact that `is_it`.
    pub(crate) fn find(&self, is_it: impl Fn(&Fact) -> bool) -> Vec<At> {
        self.find_records(|at| self.fact(at).is_some_and(&is_it))
    }

    /// Every record at a place that `is_it`.
    pub(crate) fn find_records(&self, is_it: impl Fn(At) -> bool) -> Vec<At> {
        let all = self.boots.iter().enumerate().flat_map(|(boot, file)| (0..file.records.len()).map(move |record| (boot, record)));
        all.filter(|at| is_it(*at)).collect()
    }

    pub(crate) fn fact(&self, (boot, record): At) -> Option<&Fact> {
        fact(self.boots[boot].records.get(record)?)
    }

    pub(crate) fn fact_mut(&mut self, (boot, record): At) -> &mut Fact {
        match &mut self.boots[boot].records[record].what {
            What::Group { fact, .. } => fact,
            What::Booted { .. } | What::Ended | What::Dispatched(_) | What::Linked(_) => panic!("no fact"),
        }
    }

    pub(crate) fn records(&mut self, at: At) -> &mut Vec<Record> {
        &mut self.boots[at.0].records
    }

    /// The next record of the same group and boot with a fact that `is_it`.
    pub(crate) fn next(&self, (boot, record): At, is_it: impl Fn(&Fact) -> bool) -> Option<At> {
        let here = seat(&self.boots[boot].records[record]);
        let rest = (record + 1..self.boots[boot].records.len()).map(|record| (boot, record));
        rest.filter(|at| seat(&self.boots[at.0].records[at.1]) == here).find(|at| self.fact(*at).is_some_and(&is_it))
    }

    /// Whoever tampers numbers the records anew.
    pub(crate) fn renumber(&mut self) {
        for boot in &mut self.boots {
            (0..).zip(&mut boot.records).for_each(|(number, record)| record.sequence = number);
        }
    }
}

fn fact(record: &Record) -> Option<&Fact> {
    match &record.what {
        What::Group { fact, .. } => Some(fact),
        What::Booted { .. } | What::Ended | What::Dispatched(_) | What::Linked(_) => None,
    }
}

/// Group and incarnation.
pub(crate) fn seat(record: &Record) -> Option<(roadstead_spec::GroupId, roadstead_spec::Incarnation)> {
    match &record.what {
        What::Group { group, incarnation, .. } => Some((*group, *incarnation)),
        What::Booted { .. } | What::Ended | What::Dispatched(_) | What::Linked(_) => None,
    }
}
