//! Contact records, their files, and greetings.

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
        /// A change of the relation itself: added, deleted, handed over.
        Event = "event",
    }

    /// The source of a record.
    RecordSource in ["wechat_contact_record.source"] => {
        /// A callback of an app.
        App = "app",
        /// A person wrote it.
        Manual = "manual",
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
