//! The windows in which a handshake may hand over a secret. An operator opens one, the
//! first handshake uses it up: otherwise anybody could replace a source's key. Time is
//! a parameter, nothing is kept: a stop closes every window.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{Millis, Secret};
use crate::verify::compare::equal;

/// The windows of all sources: at most one each.
#[derive(Debug, Default)]
pub struct Windows(Mutex<HashMap<String, Window>>);

#[derive(Debug)]
struct Window {
    ticket: Ticket,
    /// Monotonic.
    closes: Duration,
    /// The same on the wall clock, for people.
    until: Millis,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    /// A handshake is making its secret durable.
    Claimed,
    /// A handshake came. The secret is there until it was shown, where it has to be.
    Used(Option<Secret>),
}

/// What whoever opened a window knows of it, and nobody else. It never prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Ticket(String);

impl Ticket {
    /// Of as many random bits.
    pub fn new(bits: u128) -> Self {
        Self(format!("{bits:032x}"))
    }

    /// As it was written down.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For the one who opened the window.
    pub fn expose(&self) -> &str {
        &self.0
    }

    fn is(&self, other: &Self) -> bool {
        equal(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A window that a handshake has taken, and nobody else can.
#[derive(Debug)]
#[must_use = "a window that was taken is used or given back"]
pub struct Claim {
    source: String,
    ticket: Ticket,
}

impl Claim {
    /// Whose window it is.
    pub fn source(&self) -> &str {
        &self.source
    }
}

/// How a window stands, for the one who opened it.
#[derive(Clone, Debug)]
pub enum Look {
    /// Nobody came so far; open until then.
    Open(Millis),
    /// A handshake came. The secret is in the first look at it, where it has to be shown.
    Used(Option<Secret>),
    /// Its time is over.
    Closed,
    /// It is not this one's, or the gateway was started again meanwhile.
    Unknown,
}

impl Windows {
    /// Opens a source's window for so long from now on, instead of one that is open.
    /// Returns until when.
    pub fn open(&self, source: &str, ticket: Ticket, now: (Duration, Millis), span: Duration) -> Millis {
        let (monotonic, wall) = now;
        let until = wall.after(span);
        let window = Window { ticket, closes: monotonic.saturating_add(span), until, state: State::Open };
        self.all().insert(source.to_owned(), window);
        until
    }

    /// Takes a source's window, if it is open: for one handshake.
    pub fn claim(&self, source: &str, now: Duration) -> Option<Claim> {
        let mut all = self.all();
        let window = all.get_mut(source).filter(|window| window.is_open(now))?;
        window.state = State::Claimed;
        Some(Claim { source: source.to_owned(), ticket: window.ticket.clone() })
    }

    /// The handshake is done. `shown` is what whoever opened the window has to see.
    pub fn used(&self, claim: &Claim, shown: Option<Secret>) {
        self.settle(claim, State::Used(shown));
    }

    /// The handshake failed on our side: the window is open again, for what is left of
    /// its time.
    pub fn give_back(&self, claim: &Claim) {
        self.settle(claim, State::Open);
    }

    /// A window that was opened anew meanwhile is left as it is.
    fn settle(&self, claim: &Claim, state: State) {
        if let Some(window) =
            self.all().get_mut(&claim.source).filter(|window| window.ticket.is(&claim.ticket))
        {
            window.state = state;
        }
    }

    /// Until when a source's window is open, if it is.
    pub fn until(&self, source: &str, now: Duration) -> Option<Millis> {
        self.all().get(source).filter(|window| window.is_open(now)).map(|window| window.until)
    }

    /// How the window stands that was opened with this ticket. What has to be shown is
    /// handed out here, once.
    pub fn look(&self, source: &str, ticket: &Ticket, now: Duration) -> Look {
        let mut all = self.all();
        let Some(window) = all.get_mut(source).filter(|window| window.ticket.is(ticket)) else {
            return Look::Unknown;
        };
        match &mut window.state {
            State::Used(shown) => Look::Used(shown.take()),
            State::Open if now >= window.closes => Look::Closed,
            State::Open | State::Claimed => Look::Open(window.until),
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Window>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn is_open(&self, now: Duration) -> bool {
        matches!(self.state, State::Open) && now < self.closes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_mins(10);
    const END: Duration = Duration::from_mins(11);
    const NOW: (Duration, Millis) = (Duration::from_mins(1), Millis(1_000));
    const UNTIL: Millis = Millis(601_000);

    fn opened() -> (Windows, Ticket) {
        let (windows, ticket) = (Windows::default(), Ticket::new(7));
        assert_eq!(windows.open("asana", ticket.clone(), NOW, SPAN), UNTIL);
        (windows, ticket)
    }

    /// A secret compares with nothing; what a look says does.
    fn told(look: &Look) -> String {
        match look {
            Look::Used(Some(secret)) => format!("used, {}", secret.expose()),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_window_is_open_until_its_time_is_over() {
        let (windows, ticket) = opened();
        let last = END.saturating_sub(Duration::from_nanos(1));
        for (now, until, look) in [
            (NOW.0, Some(UNTIL), Look::Open(UNTIL)),
            (last, Some(UNTIL), Look::Open(UNTIL)),
            (END, None, Look::Closed),
        ] {
            assert_eq!(windows.until("asana", now), until);
            assert_eq!(told(&windows.look("asana", &ticket, now)), told(&look));
        }
        assert!(windows.claim("asana", END).is_none());
        assert!(windows.claim("notion", NOW.0).is_none(), "another source's");
        assert!(windows.claim("asana", last).is_some());
    }

    #[test]
    fn one_handshake_uses_it_up() {
        let (windows, ticket) = opened();
        let claim = windows.claim("asana", NOW.0).unwrap();
        assert_eq!(claim.source(), "asana");
        assert!(windows.claim("asana", NOW.0).is_none(), "taken");
        assert_eq!(windows.until("asana", NOW.0), None);
        assert_eq!(
            told(&windows.look("asana", &ticket, END)),
            told(&Look::Open(UNTIL)),
            "it is on its way to the disk"
        );
        windows.used(&claim, None);
        assert!(windows.claim("asana", NOW.0).is_none(), "used");
        for _ in 0..2 {
            assert_eq!(told(&windows.look("asana", &ticket, END)), told(&Look::Used(None)));
        }
    }

    #[test]
    fn what_failed_may_be_tried_again_in_the_time_that_is_left() {
        let (windows, ticket) = opened();
        windows.give_back(&windows.claim("asana", NOW.0).unwrap());
        assert_eq!(told(&windows.look("asana", &ticket, NOW.0)), told(&Look::Open(UNTIL)));
        assert!(windows.claim("asana", END).is_none());
        assert!(windows.claim("asana", NOW.0).is_some());
    }

    #[test]
    fn a_secret_is_shown_once_and_to_who_has_the_ticket() {
        let (windows, ticket) = opened();
        let secret = Secret::from_text("hunter2");
        windows.used(&windows.claim("asana", NOW.0).unwrap(), Some(secret.clone()));
        assert!(!format!("{windows:?} {ticket:?}").contains("hunter2"));
        assert!(!format!("{windows:?} {ticket:?}").contains(ticket.expose()));
        assert_eq!(told(&windows.look("asana", &Ticket::new(8), NOW.0)), told(&Look::Unknown));
        assert_eq!(told(&windows.look("notion", &ticket, NOW.0)), told(&Look::Unknown));
        assert_eq!(
            told(&windows.look("asana", &Ticket::from_text(ticket.expose()), END)),
            told(&Look::Used(Some(secret)))
        );
        assert_eq!(told(&windows.look("asana", &ticket, END)), told(&Look::Used(None)));
    }

    #[test]
    fn opening_again_is_another_window() {
        let (windows, first) = opened();
        let claim = windows.claim("asana", NOW.0).unwrap();
        let second = Ticket::new(9);
        windows.open("asana", second.clone(), NOW, SPAN);
        windows.used(&claim, Some(Secret::from_text("late")));
        assert_eq!(told(&windows.look("asana", &first, NOW.0)), told(&Look::Unknown));
        assert_eq!(told(&windows.look("asana", &second, NOW.0)), told(&Look::Open(UNTIL)));
    }
}
