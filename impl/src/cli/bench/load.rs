//! The clients: each asks, waits for the outcome, asks again.

use std::{
    cell::RefCell,
    rc::Rc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{task::LocalSet, time::sleep_until};

use crate::{
    GroupId,
    client::{Client, ClientOptions, Consistency, KvClient, KvFailure},
    service::kv::{PutRequest, RangeRequest},
};

use super::{
    super::failure::Failure,
    Args, Operation,
    machine::CpuTimes,
    result::{Measured, Recorder},
};

/// How long a client rests after a failure, so that a cluster without a leader is not asked in a busy loop.
const REST: Duration = Duration::from_millis(10);

/// A run that has not begun.
pub(super) struct Load {
    operation: Operation,
    clients: Vec<(KvClient, StdRng)>,
    key_bytes: usize,
    keys: u32,
    value: Bytes,
}

impl Load {
    /// The clients of a run, spread over the groups.
    pub(super) fn new(args: &Args, clients: u32) -> Result<Self, Failure> {
        let endpoints = args.endpoints.endpoints.iter().map(ToString::to_string).collect();
        let client = Client::new(ClientOptions { endpoints, timeout: args.endpoints.timeout, ..ClientOptions::default() });
        let group = |number: u32| {
            let id = i64::from(args.group) + i64::from(number % args.groups);
            let id = i32::try_from(id).ok().and_then(GroupId::new);
            id.ok_or_else(|| Failure::Usage("--group and --groups reach beyond 2147483647, the last group id".to_owned()))
        };
        let mut seeds = StdRng::seed_from_u64(args.seed);
        let value: Vec<u8> = (0..args.value_bytes).map(|_| seeds.random()).collect();
        let clients = (0..clients)
            .map(|number| Ok((KvClient::new(client.group(group(number)?)), StdRng::seed_from_u64(seeds.random()))))
            .collect::<Result<_, Failure>>()?;
        Ok(Self { operation: args.operation, clients, key_bytes: usize::from(args.key_bytes), keys: args.keys, value: value.into() })
    }

    /// Runs until the time is over and every client has its last outcome.
    pub(super) async fn run(self, nodes: &[u32], warm_up: Duration, length: Duration) -> Result<Measured, Failure> {
        let from = Instant::now() + warm_up;
        let recorder = Recorder::new(from, length).map_err(|error| Failure::failed(error.to_string()))?;
        let recorder = Rc::new(RefCell::new(recorder));
        let local = LocalSet::new();
        for (kv, keys) in self.clients {
            let one =
                OneClient { kv, keys, operation: self.operation, key_bytes: self.key_bytes, count: self.keys, value: self.value.clone() };
            local.spawn_local(one.run(Rc::clone(&recorder), from + length));
        }
        let pids: Vec<u32> = nodes.iter().copied().chain([std::process::id()]).collect();
        let cpu = local.run_until(async {
            sleep_until(from.into()).await;
            let before = CpuTimes::read(&pids);
            sleep_until((from + length).into()).await;
            CpuTimes::read(&pids).since(&before)
        });
        let cpu = cpu.await;
        local.await;
        let recorder = Rc::try_unwrap(recorder).map_err(|_| Failure::failed("a client of the run did not end"))?.into_inner();
        let count = recorder.count() as f64;
        let mut measured = recorder.finish();
        if count > 0.0 && !nodes.is_empty() {
            measured.cpu_by_layer = cpu.into_iter().map(|(layer, seconds)| (layer, seconds / count)).collect();
            measured.cpu_seconds_per_operation = Some(measured.cpu_by_layer.iter().map(|(_, seconds)| seconds).sum());
        }
        Ok(measured)
    }
}

struct OneClient {
    kv: KvClient,
    keys: StdRng,
    operation: Operation,
    key_bytes: usize,
    count: u32,
    value: Bytes,
}

impl OneClient {
    async fn run(mut self, recorder: Rc<RefCell<Recorder>>, end: Instant) {
        loop {
            let begun = Instant::now();
            if begun >= end {
                return;
            }
            let outcome = self.once().await;
            let now = Instant::now();
            match outcome {
                Ok(()) => recorder.borrow_mut().done(now, now.duration_since(begun)),
                Err(failure) => {
                    recorder.borrow_mut().failed(now, &failure);
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }

    async fn once(&mut self) -> Result<(), KvFailure> {
        let key = format!("{:0width$}", self.keys.random_range(0..self.count), width = self.key_bytes);
        let read = |consistency| self.kv.range(RangeRequest::key(key.clone()), consistency);
        match self.operation {
            Operation::Put => self.kv.put(PutRequest::new(key, self.value.clone())).await.map(|_| ()),
            Operation::Get => read(Consistency::Linearizable).await.map(|_| ()),
            Operation::StaleGet => read(Consistency::Stale).await.map(|_| ()),
        }
    }
}
