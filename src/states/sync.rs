//! Reconciling runs and their findings.

words! {
    /// The state of a run.
    SyncState in ["sync_run.state"] => {
        /// It is in progress.
        Running = "running",
        /// It succeeded.
        Done = "done",
        /// It failed.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
    }

    /// The phases of a run, in their order.
    SyncPhase in ["sync_run.phase"] => {
        /// Reading the departments.
        Departments = "departments",
        /// Reading each department's members.
        Members = "members",
        /// Reading which members may have customers.
        Staff = "staff",
        /// Reading their customers.
        Customers = "customers",
        /// Reading the unassigned customers of leavers.
        Unassigned = "unassigned",
        /// Reading the groups of the members who serve customers.
        GroupChats = "group_chats",
        /// Reading the names of departments that have none in our tables.
        DepartmentNames = "department_names",
        /// Deriving the differences.
        Compare = "compare",
        /// Nothing is left to do.
        End = "end",
    }

    /// The progress of reading a group of members.
    ShardState in ["sync_shard.state"] => {
        /// Its pages are still to be read.
        Waiting = "waiting",
        /// Its pages are read, and not compared yet.
        Walked = "walked",
        /// It is compared.
        Done = "done",
        /// WeCom refuses to list their customers.
        Refused = "refused",
    }

    /// The kinds of differences, in the order of the report.
    DriftKind in ["sync_drift.kind"] => {
        /// WeCom lists a contact that is missing in our tables, or ended there.
        MissingHere = "missing_here",
        /// Our tables have a contact that WeCom does not list.
        GoneThere = "gone_there",
        /// The customer belongs to another member than in our tables.
        OtherOwner = "other_owner",
        /// The contact is ended in our tables, and WeCom still lists it.
        EndedHere = "ended_here",
        /// The customer's name differs.
        Renamed = "renamed",
        /// WeCom lists a member who is missing in our tables.
        MemberMissingHere = "member_missing_here",
        /// Our tables have a member whom WeCom does not list: gone, or not visible to the app.
        MemberGoneThere = "member_gone_there",
        /// The member's name differs.
        MemberRenamed = "member_renamed",
        /// The member left the corp without a callback.
        MemberLeft = "member_left",
        /// WeCom refuses to list this member's customers.
        MemberRefused = "member_refused",
        /// Our tables have contacts of a member who serves no customers.
        NotServing = "not_serving",
        /// A row of WeCom's lists cannot be used.
        Unreadable = "unreadable",
    }
}
