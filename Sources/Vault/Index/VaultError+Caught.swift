extension VaultError {
    /// What a task group lost the type of.
    init(caught error: any Error) {
        if let error = error as? VaultError {
            self = error
        } else {
            precondition(error is CancellationError, "tasks of a vault throw errors of the vault: \(error)")
            self.init(.cancelled, "interrupted")
        }
    }
}
