//! What the four kinds of functions answer, and what they may return for it.

use crate::{
    Acceptance, Decision, Dropped, Error, Event, Reply, Request, Response, Result, Verification, log,
};

/// The answer of a capability of the contract.
pub trait Answer: Sized {
    /// What is answered.
    type Input;

    /// The answer of a function that could not be called, or that failed.
    fn of_error(error: Error) -> Self;
}

/// `filter` and `transform`.
impl<T: Dropped> Answer for Result<T> {
    type Input = Event;

    fn of_error(error: Error) -> Self {
        Err(error)
    }
}

impl Answer for Verification {
    type Input = Request;

    fn of_error(error: Error) -> Self {
        error.into()
    }
}

/// The contract has no error here: it is logged, and the gateway decides as it would have.
impl Answer for Decision {
    type Input = Response;

    fn of_error(error: Error) -> Self {
        log::error!("{error}");
        Self::Default
    }
}

/// What a function may return where `A` is the answer.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not what this kind of function answers",
    label = "has to return `{A}`, or what becomes one"
)]
pub trait Becomes<A> {
    /// The answer.
    fn answer(self) -> A;
}

impl<T: Dropped> Becomes<Self> for Result<T> {
    fn answer(self) -> Self {
        self
    }
}

impl Becomes<Self> for Verification {
    fn answer(self) -> Self {
        self
    }
}

impl Becomes<Verification> for Acceptance {
    fn answer(self) -> Verification {
        self.into()
    }
}

impl Becomes<Verification> for Reply {
    fn answer(self) -> Verification {
        self.into()
    }
}

impl<T: Becomes<Verification>, E: Into<Verification>> Becomes<Verification> for Result<T, E> {
    fn answer(self) -> Verification {
        self.map_or_else(Into::into, Becomes::answer)
    }
}

impl Becomes<Self> for Decision {
    fn answer(self) -> Self {
        self
    }
}

impl Becomes<Decision> for Result<Decision> {
    fn answer(self) -> Decision {
        self.unwrap_or_else(Answer::of_error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accept, done, respond, testing, unauthorized};

    #[test]
    fn whatever_says_it_is_a_verification() {
        let accepted = Verification::Accepted(accept().id("1"));
        assert_eq!(accept().id("1").answer(), accepted);
        assert_eq!(Ok::<_, Error>(accept().id("1")).answer(), accepted);
        assert_eq!(Err::<Acceptance, _>(unauthorized("no")).answer(), unauthorized("no"));
        assert_eq!(respond(200).answer(), Verification::Respond(respond(200)));
    }

    #[test]
    fn a_classifier_that_fails_leaves_the_decision_to_the_gateway_and_says_so() {
        assert_eq!(Ok(done()).answer(), done());
        assert_eq!(Becomes::<Decision>::answer(Err(Error::other("odd"))), Decision::Default);
        let lines = testing::logs();
        assert_eq!((lines[0].level, lines[0].message.as_str()), (log::Level::Error, "other: odd"));
    }
}
