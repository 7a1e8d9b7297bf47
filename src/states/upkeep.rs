//! Backups, erasures, and what is kept for a while.

words! {
    /// What became of a backup.
    BackupOutcome in ["backup.outcome"] => {
        /// It is being made.
        Running = "running",
        /// It is whole, and on disk.
        Done = "done",
        /// There is none, for a reason.
        Failed = "failed",
    }

    /// How far an erasure is.
    ErasureState in ["erasure.state"] => {
        /// Something of the person may still be there.
        Running = "running",
        /// Nothing is.
        Done = "done",
    }

    /// By which id somebody was named who is to be erased.
    ErasureName in ["erasure.named_by"] => {
        /// The business's id of the customer.
        Customer = "customer",
        /// WeCom's id of the person.
        Person = "person",
    }

    /// What is kept for a while, in the order in which it goes: files before the records that name them would.
    RetentionKind in ["retention.kind"] => {
        /// What WeCom sent, as it was sent.
        Plaintext = "plaintext",
        /// Pictures, sounds, films and files.
        Media = "media",
        /// What passed between customers and staff, and its files.
        Records = "records",
        /// Who did what to whose data.
        AccessLog = "access_log",
    }
}
