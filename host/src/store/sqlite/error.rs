//! What `SQLite`'s errors mean to the store.

use rusqlite::ErrorCode;

use crate::store::StoreError;

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::OutOfMemory) => {
                Self::Busy(error.to_string())
            }
            // After a failed write or sync nobody knows what is on the disk; going on
            // would be a guess (a later fsync may well report success).
            Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Broken(error.to_string())
            }
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<rusqlite::types::FromSqlError> for StoreError {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Other(format!("a column does not hold what it should: {error}"))
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::Other(format!("a JSON column does not hold what it should: {error}"))
    }
}

impl StoreError {
    /// Whether it concerns the store as a whole and not one verb's data.
    pub(super) const fn is_fatal(&self) -> bool {
        matches!(self, Self::Full | Self::Busy(_) | Self::Broken(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_failure_has_its_consequence() {
        use rusqlite::ffi;
        let table = [
            (ffi::SQLITE_FULL, "full"),
            (ffi::SQLITE_IOERR_FSYNC, "broken"),
            (ffi::SQLITE_IOERR_WRITE, "broken"),
            (ffi::SQLITE_CORRUPT, "broken"),
            (ffi::SQLITE_BUSY, "busy"),
            (ffi::SQLITE_CONSTRAINT_UNIQUE, "other"),
        ];
        for (code, expected) in table {
            let error = StoreError::from(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            let kind = match error {
                StoreError::Full => "full",
                StoreError::Busy(_) => "busy",
                StoreError::Broken(_) => "broken",
                _ => "other",
            };
            assert_eq!(kind, expected, "{code}");
        }
    }
}
