//! Work orders. Which state may follow which stands in `crate::orders::order_state`.

words! {
    /// How far an order is.
    OrderState in ["work_order.state", "work_order_change.from_state", "work_order_change.to_state"] => {
        /// Nobody is in charge.
        New = "new",
        /// Somebody is, and has not reached the customer yet.
        Assigned = "assigned",
        /// The customer is in contact.
        Contacted = "contacted",
        /// The customer knows what it costs.
        Quoted = "quoted",
        /// The customer agreed.
        Confirmed = "confirmed",
        /// The work is done.
        Done = "done",
        /// It will not be done.
        Cancelled = "cancelled",
    }
}
