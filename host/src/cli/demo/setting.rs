//! The configuration that the demo runs on.

use std::path::{Path, PathBuf};

use super::receiver::Receiver;

/// Where the story plays.
pub(super) struct Setting<'a> {
    pub(super) folder: &'a Path,
    pub(super) crm: &'a Receiver,
    pub(super) chat: &'a Receiver,
    /// Shared by every provider of the story.
    pub(super) secret: String,
}

impl Setting<'_> {
    pub(super) fn file(&self) -> PathBuf {
        self.folder.join("hookloom.toml")
    }

    /// Writes the configuration with these addresses.
    pub(super) fn write(&self, listen: &str, admin_listen: &str) -> anyhow::Result<()> {
        let values = [
            ("@LISTEN@", listen),
            ("@ADMIN@", admin_listen),
            ("@SECRET@", &self.secret),
            ("@CRM_URL@", &self.crm.url),
            ("@CRM_SECRET@", &self.crm.secret),
            ("@CHAT_URL@", &self.chat.url),
            ("@CHAT_SECRET@", &self.chat.secret),
        ];
        let template = include_str!("../../../templates/demo.toml").to_owned();
        let text = values.iter().fold(template, |text, (name, value)| text.replace(name, value));
        std::fs::write(self.file(), text)?;
        Ok(())
    }
}
