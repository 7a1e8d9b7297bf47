//! What passed between members and customers: records, their files, greetings.

words! {
    /// What kind of thing it was.
    ContactType in ["wechat_contact_record.contact_type"] => {
        /// Written words.
        Text = "text",
        /// A picture.
        Image = "image",
        /// A spoken message.
        Voice = "voice",
        /// A film.
        Video = "video",
        /// A place.
        Location = "location",
        /// A web page.
        Link = "link",
        /// A file.
        File = "file",
        /// A turn in the relation itself: met, lost, handed over.
        Event = "event",
    }

    /// Where we learnt of a record.
    RecordSource in ["wechat_contact_record.source"] => {
        /// A callback of an app.
        App = "app",
        /// Somebody wrote it down by hand.
        Manual = "manual",
    }

    /// What became of a file that a message names.
    MediaState in ["media.state"] => {
        /// Its bytes are kept.
        Fetched = "fetched",
        /// WeCom no longer has it.
        Gone = "gone",
        /// It is larger than we keep.
        TooLarge = "too_large",
        /// WeCom would not give it.
        Failed = "failed",
    }

    /// How far the fetching of a file is. Never stored: derived from its row and its task.
    MediaProgress in [] => {
        /// Its bytes are kept.
        Fetched = "fetched",
        /// A task is to fetch it.
        Waiting = "waiting",
        /// WeCom no longer has it.
        Gone = "gone",
        /// It is larger than we keep.
        TooLarge = "too_large",
        /// WeCom would not give it, or its task is parked.
        Failed = "failed",
        /// It was never to be fetched.
        Unknown = "unknown",
    }

    /// What became of a greeting.
    WelcomeOutcome in ["welcome.outcome"] => {
        /// WeCom took it.
        Sent = "sent",
        /// Another app was first, or we were before a crash.
        GreetedAlready = "greeted_already",
        /// There are no words to greet with.
        NoTemplate = "no_template",
        /// The customer came in quiet hours.
        Quiet = "quiet",
        /// The code had ended.
        Late = "late",
        /// WeCom limited us for as long as the code lived.
        Limited = "limited",
        /// WeCom refused it.
        Refused = "refused",
        /// Nobody saw the answer.
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
