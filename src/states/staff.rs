//! Staff members: their bindings to members, and their resignations.

words! {
    /// Whether a binding stands.
    BindingStatus in ["staff_wechat_bind.status"] => {
        /// It does.
        Bound = "bound",
        /// It has ended.
        Unbound = "unbound",
    }

    /// Why a binding ended.
    UnboundReason in ["staff_wechat_bind.unbound_reason"] => {
        /// Somebody unbound them by hand.
        Admin = "admin",
        /// The member left.
        Left = "left",
        /// A later binding of the same member took its place.
        Superseded = "superseded",
    }

    /// How far a resignation is.
    ResignationState in ["resignation.state"] => {
        /// It is entered, and nobody has decided it.
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
