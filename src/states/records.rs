//! Contact records, their files, and greetings.

use super::Origin;

words! {
    /// The type of a record.
    ContactType in ["wechat_contact_record.contact_type"] => {
        /// A text.
        Text = "text",
        /// A picture.
        Image = "image",
        /// A voice message.
        Voice = "voice",
        /// A video.
        Video = "video",
        /// A location.
        Location = "location",
        /// A web page.
        Link = "link",
        /// A file.
        File = "file",
        /// A change of the relation itself, or of a session: added, deleted, handed over, begun, ended.
        Event = "event",
        /// A sticker.
        Emotion = "emotion",
        /// A contact's card.
        Card = "card",
        /// A page of a mini-program.
        Miniprogram = "miniprogram",
        /// Forwarded messages.
        Forward = "forward",
        /// Several kinds in one message.
        Mixed = "mixed",
        /// A call.
        Call = "call",
        /// A document that is edited together.
        Document = "document",
        /// A meeting or a calendar entry.
        Meeting = "meeting",
        /// A vote, a to-do list or another form.
        Form = "form",
        /// A red packet.
        RedPacket = "red_packet",
        /// Something of 视频号.
        Channels = "channels",
        /// A type that this version does not know; `event` has its name.
        Other = "other",
    }

    /// The source of a record.
    RecordSource in ["wechat_contact_record.source"] => {
        /// A callback of an app.
        App = "app",
        /// A person wrote it.
        Manual = "manual",
        /// The message archive (会话内容存档).
        Archive = "archive",
        /// 微信客服.
        Kf = "kf",
    }

    /// Who recalled a message.
    RevokedBy in ["message_revocation.by_whom"] => {
        /// The customer.
        Customer = "customer",
        /// A member.
        Member = "member",
    }

    /// The result of fetching a file.
    MediaState in ["media.state"] => {
        /// Its bytes are stored.
        Fetched = "fetched",
        /// WeCom no longer has it.
        Gone = "gone",
        /// It is larger than the limit.
        TooLarge = "too_large",
        /// WeCom refused it.
        Failed = "failed",
    }

    /// The progress of fetching a file. Never stored: derived from its row and its task.
    MediaProgress in [] => {
        /// Its bytes are stored.
        Fetched = "fetched",
        /// A task will fetch it.
        Waiting = "waiting",
        /// WeCom no longer has it.
        Gone = "gone",
        /// It is larger than the limit.
        TooLarge = "too_large",
        /// WeCom refused it, or its task is parked.
        Failed = "failed",
        /// No task was ever to fetch it.
        Unknown = "unknown",
    }

    /// The outcome of a greeting.
    WelcomeOutcome in ["welcome.outcome"] => {
        /// WeCom accepted it.
        Sent = "sent",
        /// Another app greeted first, or we did before a crash.
        GreetedAlready = "greeted_already",
        /// No text is configured.
        NoTemplate = "no_template",
        /// The customer came in quiet hours.
        Quiet = "quiet",
        /// The code had expired.
        Late = "late",
        /// WeCom limited our calls until the code expired.
        Limited = "limited",
        /// WeCom refused it.
        Refused = "refused",
        /// The answer was lost.
        Unknown = "unknown",
    }
}

impl From<Origin> for RecordSource {
    fn from(origin: Origin) -> Self {
        match origin {
            Origin::Callback => Self::App,
            Origin::Archive => Self::Archive,
            Origin::Kf => Self::Kf,
        }
    }
}

impl From<MediaState> for MediaProgress {
    fn from(state: MediaState) -> Self {
        match state {
            MediaState::Fetched => Self::Fetched,
            MediaState::Gone => Self::Gone,
            MediaState::TooLarge => Self::TooLarge,
            MediaState::Failed => Self::Failed,
        }
    }
}
