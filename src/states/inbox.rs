//! Deliveries in the inbox.

words! {
    /// How a delivery stands. Never stored: derived from where it has a row.
    described DeliveryState in [] => {
        /// Still to be recorded.
        Pending = "pending",
        /// Set aside for a person.
        Parked = "parked",
        /// Kept and counted; nothing is recorded from it.
        Ignored = "ignored",
        /// Its contents are in the tables.
        Recorded = "recorded",
        /// It was about somebody who was erased: it came, and nothing of it is kept.
        Erased = "erased",
    }
}
