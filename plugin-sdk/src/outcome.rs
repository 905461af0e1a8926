//! What a filter or a transform answers.

use crate::Message;

/// A filter's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The event goes on.
    Pass,
    /// It does not; the reason is recorded with it.
    Drop(String),
}

/// A transform's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The event goes on as it is.
    Unchanged,
    /// This is sent.
    Replace(Message),
    /// Each of these is sent, at most 1,000; none at all drops the event.
    Split(Vec<Message>),
    /// Nothing is sent; the reason is recorded with the event.
    Drop(String),
}

/// The answers that can be [`drop`].
pub trait Dropped: sealed::Sealed {
    /// The answer with its reason.
    fn dropped(reason: String) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Verdict {}
    impl Sealed for super::Outcome {}
}

impl Dropped for Verdict {
    fn dropped(reason: String) -> Self {
        Self::Drop(reason)
    }
}

impl Dropped for Outcome {
    fn dropped(reason: String) -> Self {
        Self::Drop(reason)
    }
}

/// Lets the event through.
pub const fn pass() -> Verdict {
    Verdict::Pass
}

/// Sends nothing, from a filter as well as from a transform. The reason is recorded
/// with the event.
///
/// Under `use hookloom_sdk::*` this is what `drop` means; the one that ends a value's
/// life is `std::mem::drop`.
pub fn drop<Answer: Dropped>(reason: impl Into<String>) -> Answer {
    Answer::dropped(reason.into())
}

/// Sends the event as it is.
pub const fn unchanged() -> Outcome {
    Outcome::Unchanged
}

/// Sends this.
pub const fn replace(message: Message) -> Outcome {
    Outcome::Replace(message)
}

/// Sends each of these.
pub fn split(messages: impl IntoIterator<Item = Message>) -> Outcome {
    Outcome::Split(messages.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drop_is_an_answer_of_both_kinds() {
        let verdict: Verdict = drop("no");
        let outcome: Outcome = drop(format!("no {}", 1));
        assert_eq!(verdict, Verdict::Drop("no".to_owned()));
        assert_eq!(outcome, Outcome::Drop("no 1".to_owned()));
    }
}
