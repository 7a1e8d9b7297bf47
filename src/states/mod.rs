//! The enums of text columns with a closed set of values: states, kinds and outcomes.
//!
//! Each enum lists its words once; JSON, the API's description, SQL and messages all use that list. A stored value
//! that is not in it is an error that names the column, never a default. Which state may follow which is not known
//! here: the transitions are in the orders, the handovers and the tasks.

#[macro_use]
mod words;

mod access;

mod company;

mod contacts;

mod handover;

mod inbox;

mod kf;

mod orders;

mod records;

mod staff;

mod sync;

mod tasks;

mod upkeep;

pub use access::{AppStatus, Role};
pub use company::{AlertKind, ApprovalEngine, TagKind};
pub use contacts::{ContactStatus, MatchedBy};
pub use handover::{
    CallKind, CallOutcome, HandoverCause, HandoverState, ItemKind, ItemState, LoggedState, TransferFlow,
};
pub use inbox::{DeliveryState, Origin};
pub use kf::{KfRoute, KfState};
pub use orders::OrderState;
pub use records::{ContactType, MediaProgress, MediaState, RecordSource, RevokedBy, WelcomeOutcome};
pub use staff::{BindingStatus, ResignationState, UnboundReason};
pub use sync::{DriftKind, ShardState, SyncPhase, SyncState};
pub use tasks::{TaskKind, TaskState};
pub use upkeep::{BackupOutcome, ErasureName, ErasureState, RetentionKind};
pub use words::{NotAWord, UnknownValue, Words};

/// Every column that holds one of these enums, `table.column`, with the words that it may hold.
pub fn columns() -> Vec<(&'static str, Vec<&'static str>)> {
    let all = [
        of::<Role>(),
        of::<AppStatus>(),
        of::<ContactStatus>(),
        of::<MatchedBy>(),
        of::<HandoverState>(),
        of::<HandoverCause>(),
        of::<ItemState>(),
        of::<ItemKind>(),
        of::<LoggedState>(),
        of::<CallKind>(),
        of::<TransferFlow>(),
        of::<CallOutcome>(),
        of::<OrderState>(),
        of::<ContactType>(),
        of::<RecordSource>(),
        of::<RevokedBy>(),
        of::<MediaState>(),
        of::<WelcomeOutcome>(),
        of::<BindingStatus>(),
        of::<UnboundReason>(),
        of::<ResignationState>(),
        of::<SyncState>(),
        of::<SyncPhase>(),
        of::<ShardState>(),
        of::<DriftKind>(),
        of::<TaskKind>(),
        of::<BackupOutcome>(),
        of::<ErasureState>(),
        of::<ErasureName>(),
        of::<RetentionKind>(),
        of::<TagKind>(),
        of::<ApprovalEngine>(),
        of::<AlertKind>(),
    ];
    all.into_iter().flatten().collect()
}

fn of<T: Words>() -> Vec<(&'static str, Vec<&'static str>)> {
    let words: Vec<_> = T::all().iter().map(|it| it.word()).collect();
    T::COLUMNS.iter().map(|column| (*column, words.clone())).collect()
}
