//! `handover`: drives one handover: submits it, asks for results, finishes it.
//!
//! Safe to repeat: each call is committed before it is made, and a call without a known answer is asked about first.

use super::{Context, Failure, Went};
use crate::{
    handover::{Driver, Next},
    tables::task::Taken,
};

pub(super) use crate::handover::Settings;

pub(super) async fn run(context: &Context, task: &Taken) -> Result<Went, Failure> {
    let Ok(number) = task.subject.parse() else {
        return Err(Failure::park(format!("{:?} is no handover's number", task.subject)));
    };
    let driver = Driver::new(&context.pool, &context.wecom, &context.handover, number);
    Ok(match driver.run().await? {
        Next::Over => Went::Done,
        Next::Again(wait) => Went::Again(wait),
    })
}
