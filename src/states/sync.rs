//! Runs of reconciling, and what they find.

words! {
    /// How a run stands.
    SyncState in ["sync_run.state"] => {
        /// It goes on.
        Running = "running",
        /// It ended well.
        Done = "done",
        /// It ended for a reason.
        Failed = "failed",
        /// Somebody ended it.
        Cancelled = "cancelled",
    }

    /// What a run is doing. They come in this order.
    SyncPhase in ["sync_run.phase"] => {
        /// Reading which departments there are.
        Departments = "departments",
        /// Reading each department's members.
        Members = "members",
        /// Reading who may have customers.
        Staff = "staff",
        /// Reading their customers.
        Customers = "customers",
        /// Reading the customers of those who left.
        Unassigned = "unassigned",
        /// Making sense of what was found.
        Compare = "compare",
        /// Nothing any more.
        End = "end",
    }

    /// How far the reading of a group of members is.
    ShardState in ["sync_shard.state"] => {
        /// Its pages are still to be read.
        Waiting = "waiting",
        /// Its pages are read, and not compared yet.
        Walked = "walked",
        /// It is compared.
        Done = "done",
        /// WeCom refuses to name their customers.
        Refused = "refused",
    }

    /// What is otherwise than we held it, in the order in which a report tells them.
    DriftKind in ["sync_drift.kind"] => {
        /// WeCom names a contact that we did not know, or held as ended.
        MissingHere = "missing_here",
        /// We held a contact that WeCom does not name.
        GoneThere = "gone_there",
        /// Another member has the customer than the one we held.
        OtherOwner = "other_owner",
        /// We hold a contact as ended, and WeCom still names it.
        EndedHere = "ended_here",
        /// The customer goes by another name.
        Renamed = "renamed",
        /// WeCom names a member whom we did not know.
        MemberMissingHere = "member_missing_here",
        /// We held a member whom WeCom does not name: gone, or out of the app's sight.
        MemberGoneThere = "member_gone_there",
        /// The member goes by another name.
        MemberRenamed = "member_renamed",
        /// The member left the corp, and nobody told us.
        MemberLeft = "member_left",
        /// WeCom refuses to name this member's customers.
        MemberRefused = "member_refused",
        /// We hold contacts of a member who serves no customers.
        NotServing = "not_serving",
        /// A row of WeCom's lists cannot be used.
        Unreadable = "unreadable",
    }
}
