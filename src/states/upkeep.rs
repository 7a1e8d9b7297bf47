//! Backups, erasures, and retention.

words! {
    /// The outcome of a backup.
    BackupOutcome in ["backup.outcome"] => {
        /// It is being made.
        Running = "running",
        /// It is complete and on disk.
        Done = "done",
        /// It failed.
        Failed = "failed",
    }

    /// The state of an erasure.
    ErasureState in ["erasure.state"] => {
        /// Data about the person may still exist.
        Running = "running",
        /// No data about the person is left.
        Done = "done",
    }

    /// The kind of id that names the person to erase.
    ErasureName in ["erasure.named_by"] => {
        /// The business's id of the customer.
        Customer = "customer",
        /// WeCom's id of the person.
        Person = "person",
    }

    /// The kinds of data with a retention period, in the order of deletion: files before the records that name them.
    RetentionKind in ["retention.kind"] => {
        /// Plaintexts of callbacks.
        Plaintext = "plaintext",
        /// Pictures, voice messages, videos and files.
        Media = "media",
        /// Contact records and their files.
        Records = "records",
        /// The access log.
        AccessLog = "access_log",
    }
}
