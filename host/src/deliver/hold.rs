//! Whether a destination is kept back by somebody's word: an operator's, or its own 410.
//! Pure.
//!
//! The store knows both, and is asked every now and then. A 410 is heeded here before
//! the store knows it; until it does, and for what was read before it did, the store's
//! word does not count.

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Hold {
    /// The store was not asked yet.
    #[default]
    Unknown,
    /// Nothing keeps it back.
    Free,
    /// An operator paused it.
    Paused,
    /// It answered that it wants no more.
    Disabled,
}

/// The word in force for one destination.
#[derive(Debug, Default)]
pub(super) struct Holding {
    hold: Hold,
    /// 410s that the store does not know yet.
    unrecorded: usize,
    /// Changes whenever what the store said earlier may be outdated.
    version: u64,
}

impl Holding {
    /// The word in force.
    pub(super) const fn get(&self) -> Hold {
        self.hold
    }

    /// To be taken before the store is asked, and handed in with its answer.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// It answered 410; whether that is news.
    pub(super) fn disable(&mut self) -> bool {
        self.version += 1;
        self.unrecorded += 1;
        std::mem::replace(&mut self.hold, Hold::Disabled) != Hold::Disabled
    }

    /// The store knows of a 410, or never will.
    pub(super) fn recorded(&mut self) {
        self.version += 1;
        self.unrecorded = self.unrecorded.saturating_sub(1);
    }

    /// The store said so when it was asked at `version`; what was in force before, if it
    /// is another now.
    pub(super) fn hear(&mut self, hold: Hold, version: u64) -> Option<Hold> {
        let outdated = version != self.version || self.unrecorded > 0;
        if outdated || hold == self.hold {
            return None;
        }
        Some(std::mem::replace(&mut self.hold, hold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_is_believed() {
        let mut holding = Holding::default();
        assert_eq!(holding.get(), Hold::Unknown);
        for (said, before) in [
            (Hold::Free, Some(Hold::Unknown)),
            (Hold::Free, None),
            (Hold::Paused, Some(Hold::Free)),
            (Hold::Disabled, Some(Hold::Paused)),
            (Hold::Free, Some(Hold::Disabled)),
        ] {
            assert_eq!(holding.hear(said, holding.version()), before);
            assert_eq!(holding.get(), said);
        }
    }

    #[test]
    fn a_410_holds_until_the_store_knows_it() {
        let mut holding = Holding::default();
        let before = holding.version();
        assert!(holding.disable() && !holding.disable());
        let between = holding.version();
        assert_eq!(holding.hear(Hold::Free, before), None, "asked before the 410");
        holding.recorded();
        assert_eq!(holding.hear(Hold::Free, holding.version()), None, "another one is not recorded");
        holding.recorded();
        assert_eq!(holding.hear(Hold::Free, between), None, "asked before it was recorded");
        assert_eq!(holding.get(), Hold::Disabled);
        assert_eq!(holding.hear(Hold::Free, holding.version()), Some(Hold::Disabled), "somebody resumed it");
    }
}
