//! Tasks: calls that must still be made to WeCom.

words! {
    /// The kinds of tasks, in the order of their names in the table.
    TaskKind in ["task.kind"] => {
        /// Read who has a seat in the message archive, and who agreed; the subject is the corp.
        CheckConsent = "check_consent",
        /// Download a picture, voice message, video or file; the subject is the media id.
        FetchMedia = "fetch_media",
        /// Read WeCom's list of unassigned customers; the subject is the corp.
        FindLeavers = "find_leavers",
        /// Drive a handover; the subject is its number.
        Handover = "handover",
        /// Notify a staff member; the subject is what it is about.
        NotifyStaff = "notify_staff",
        /// Read new messages of the message archive; the subject is the corp.
        PullArchive = "pull_archive",
        /// Pull the messages of a 微信客服 account; the subject is its open_kfid.
        PullKf = "pull_kf",
        /// Read an approved form of the approval engine; the subject is its number.
        ReadApproval = "read_approval",
        /// Read a customer's card again; the subject is the external userid.
        RefreshContact = "refresh_contact",
        /// Read a customer group again; the subject is its chat id.
        RefreshGroup = "refresh_group",
        /// Read the card of a customer of 微信客服; the subject is the external userid.
        RefreshKfCustomer = "refresh_kf_customer",
        /// Read a member again; the subject is the userid's key, the same for every spelling.
        RefreshMember = "refresh_member",
        /// Read the company's customer tags again; the subject is `tags`.
        RefreshTags = "refresh_tags",
        /// Find somebody for a waiting session of 微信客服; the subject is open_kfid/external_userid.
        RouteKf = "route_kf",
        /// Greet a new customer; the subject is the welcome code.
        Welcome = "welcome",
        /// Greet a customer who opened 微信客服; the subject is the welcome code.
        WelcomeKf = "welcome_kf",
    }

    /// The state of a task. Never stored: derived from its lease and from whether it is parked.
    TaskState in [] => {
        /// It waits for an executor, or for its time.
        Due = "due",
        /// An executor runs it.
        Running = "running",
        /// Parked for a person.
        Parked = "parked",
    }
}
