//! What must still be done with WeCom.

words! {
    /// What is to be done. The order is the order of their names in the table.
    TaskKind in ["task.kind"] => {
        /// Download a picture, sound or film; the subject is the media id.
        FetchMedia = "fetch_media",
        /// Read whose customers WeCom lists as left behind; the subject is the corp.
        FindLeavers = "find_leavers",
        /// Drive a handover on; the subject is its number.
        Handover = "handover",
        /// Tell a staff member something; the subject is what it is about.
        NotifyStaff = "notify_staff",
        /// Read a customer's card again; the subject is the external userid.
        RefreshContact = "refresh_contact",
        /// Read a member again; the subject is the userid's key, the same for every spelling.
        RefreshMember = "refresh_member",
        /// Greet a new customer; the subject is the welcome code.
        Welcome = "welcome",
    }

    /// How a task stands. Never stored: derived from its lease and from whether it is parked.
    TaskState in [] => {
        /// It waits for an executor, or for its time.
        Due = "due",
        /// An executor has it in hand.
        Running = "running",
        /// Set aside for a person.
        Parked = "parked",
    }
}
