//! Work orders. The transitions are in `crate::orders::order_state`.

words! {
    /// The state of an order.
    OrderState in ["work_order.state", "work_order_change.from_state", "work_order_change.to_state"] => {
        /// No staff member is in charge.
        New = "new",
        /// A staff member is in charge and has not reached the customer yet.
        Assigned = "assigned",
        /// The customer is in contact.
        Contacted = "contacted",
        /// The customer knows the price.
        Quoted = "quoted",
        /// The customer agreed.
        Confirmed = "confirmed",
        /// The work is done.
        Done = "done",
        /// It will not be done.
        Cancelled = "cancelled",
    }
}
