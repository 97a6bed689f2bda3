//! Transactions: first all decisions and checks, on the data before the transaction; then the operations, none of which can be refused any more,
//! so that a transaction happens wholly or not at all. Source: etcd's `compareToPath`, `checkTxn` and `executeTxn` (`server/etcdserver/txn`).

use super::{
    check,
    command::{RequestOp, TxnRequest},
    response::{KvError, ResponseOp, TxnResponse},
    view::{Failure, View},
    write::Writer,
};

/// Where the operations of a transaction go.
pub(super) enum Target<'a, 'w> {
    /// A query.
    Read(View<'a>),
    /// A command, whether it writes or not.
    Write(&'w mut Writer<'a>),
}

impl<'a> Target<'a, '_> {
    fn view(&self) -> View<'_> {
        match self {
            Self::Read(view) => *view,
            Self::Write(writer) => writer.view(),
        }
    }

    fn writer(&mut self) -> Result<&mut Writer<'a>, KvError> {
        match self {
            Self::Read(_) => Err(KvError::QueryWrites),
            Self::Write(writer) => Ok(writer),
        }
    }
}

/// Carries out a transaction.
pub(super) fn txn(request: &TxnRequest<&[u8]>, mut target: Target<'_, '_>) -> Result<TxnResponse, Failure> {
    check::txn(request)?;
    let mut branches = Vec::new();
    decide(request, &target, &mut branches)?;
    let mut response = execute(request, &mut branches.into_iter(), &mut target)?;
    response.revision = target.view().current;
    Ok(response)
}

/// Notes for the transaction and those nested in the branch it takes, in the order of execution, whether their compares hold; and refuses what their
/// operations could not do.
fn decide(request: &TxnRequest<&[u8]>, target: &Target<'_, '_>, branches: &mut Vec<bool>) -> Result<(), Failure> {
    let view = target.view();
    let mut holds = true;
    for compare in &request.compare {
        holds = holds && view.holds(compare)?;
    }
    branches.push(holds);
    for op in branch(request, holds) {
        match (op, target) {
            (RequestOp::Range(range), _) => view.check_revision(range.revision)?,
            (RequestOp::Put(put), Target::Write(writer)) => writer.check_put(put)?,
            (RequestOp::Put(_) | RequestOp::DeleteRange(_), _) => {}
            (RequestOp::Txn(nested), _) => decide(nested, target, branches)?,
        }
    }
    Ok(())
}

fn execute(
    request: &TxnRequest<&[u8]>,
    branches: &mut impl Iterator<Item = bool>,
    target: &mut Target<'_, '_>,
) -> Result<TxnResponse, Failure> {
    // `decide` noted one branch for every transaction that comes by here.
    let succeeded = branches.next().unwrap_or(false);
    let operation = |op: &RequestOp<&[u8]>| {
        Ok::<_, Failure>(match op {
            RequestOp::Range(request) => ResponseOp::Range(target.view().range(request)?),
            RequestOp::Put(request) => ResponseOp::Put(target.writer()?.put(request)?),
            RequestOp::DeleteRange(request) => ResponseOp::DeleteRange(target.writer()?.delete_range(request)?),
            RequestOp::Txn(request) => ResponseOp::Txn(execute(request, branches, target)?),
        })
    };
    let responses = branch(request, succeeded).iter().map(operation).collect::<Result<_, _>>()?;
    Ok(TxnResponse { revision: 0, succeeded, responses })
}

fn branch<'r, 'p>(request: &'r TxnRequest<&'p [u8]>, succeeded: bool) -> &'r [RequestOp<&'p [u8]>] {
    if succeeded { &request.success } else { &request.failure }
}
