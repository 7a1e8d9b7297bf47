//! A callback that the pretend WeCom will deliver.
//!
//! A push is plaintext: it is sealed anew for each attempt, as the platform's own retries may be.

/// How WeCom writes a directory event's name, in either style.
const DIRECTORY_EVENT: [&str; 3] =
    ["<Event><![CDATA[change_contact]]>", "<Event>change_contact<", "<InfoType><![CDATA[change_contact]]>"];

/// Which of a company's apps a push is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AppKind {
    /// The app that receives customers' events and members' messages.
    App,
    /// Directory sync, which receives events of members and departments.
    Directory,
    /// The message archive (会话内容存档), which only says that there is something to pull.
    Archive,
}

/// The flaw of a forged push.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Forgery {
    /// Signed with another Token.
    WrongToken,
    /// Signed well, but encrypted with another AES key.
    WrongKey,
    /// Signed and encrypted well, but for another company.
    WrongReceiver,
    /// One digit of the signature is changed.
    FlippedSignature,
    /// A body that is no envelope at all.
    GarbageBody,
}

impl Forgery {
    /// Every kind of forgery.
    pub const ALL: [Self; 5] =
        [Self::WrongToken, Self::WrongKey, Self::WrongReceiver, Self::FlippedSignature, Self::GarbageBody];
}

/// One callback to deliver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The app it is for.
    pub app: AppKind,
    /// The plaintext.
    pub plaintext: String,
    /// Its flaw, if it does not come from WeCom.
    pub forgery: Option<Forgery>,
}

impl Push {
    /// A push as WeCom itself would send it.
    pub fn genuine(app: AppKind, plaintext: impl Into<String>) -> Self {
        Self { app, plaintext: plaintext.into(), forgery: None }
    }

    /// A plaintext from somewhere else, sent to the app its event belongs to.
    pub fn of_plaintext(plaintext: impl Into<String>) -> Self {
        let plaintext = plaintext.into();
        let directory = DIRECTORY_EVENT.iter().any(|name| plaintext.contains(name));
        Self::genuine(if directory { AppKind::Directory } else { AppKind::App }, plaintext)
    }

    /// Whether a service must refuse it.
    pub fn forged(&self) -> bool {
        self.forgery.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directory_events_go_to_the_directory_app() {
        let app = |plaintext: &str| Push::of_plaintext(plaintext).app;
        assert_eq!(app("<xml><Event><![CDATA[change_contact]]></Event></xml>"), AppKind::Directory);
        assert_eq!(app("<xml><Event>change_contact</Event></xml>"), AppKind::Directory);
        assert_eq!(app("<xml><Event><![CDATA[change_external_contact]]></Event></xml>"), AppKind::App);
        assert_eq!(app("<xml><Content><![CDATA[change_contact]]></Content></xml>"), AppKind::App);
    }
}
