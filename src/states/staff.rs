//! Staff members: their bindings to members, and their resignations.

words! {
    /// The status of a binding.
    BindingStatus in ["staff_wechat_bind.status"] => {
        /// It is in effect.
        Bound = "bound",
        /// It has ended.
        Unbound = "unbound",
    }

    /// Why a binding ended.
    UnboundReason in ["staff_wechat_bind.unbound_reason"] => {
        /// It was unbound on request.
        Admin = "admin",
        /// The member left.
        Left = "left",
        /// A later binding of the same member replaced it.
        Superseded = "superseded",
    }

    /// The state of a resignation.
    ResignationState in ["resignation.state"] => {
        /// It is entered and not decided.
        Requested = "requested",
        /// Somebody approved it.
        Approved = "approved",
        /// Somebody refused it.
        Refused = "refused",
        /// It was withdrawn.
        Cancelled = "cancelled",
        /// The member has left.
        Left = "left",
    }
}
