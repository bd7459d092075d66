package import ObjectStores
package import ReplicationModel

extension VaultError {
    /// For callers that know stores only: the store's own error where there is one, else what is wrong with the vault.
    package func asStoreError(_ operation: StoreOperation, _ key: ObjectKey? = nil) -> StoreError {
        switch code {
        case .cancelled: return StoreError(.cancelled, operation, key: key, message: message)
        case .store:
            guard let store else { break }
            return StoreError(
                store.code, operation, key: key, message: description, retry: store.retry, status: store.status,
                serviceCode: store.serviceCode, requestID: store.requestID)
        case .fenced, .conflict: return StoreError(.unavailable, operation, key: key, message: description)
        case .wrongKey: return StoreError(.unauthenticated, operation, key: key, message: description)
        case .invalid: return StoreError(.invalidRequest, operation, key: key, message: description)
        case .local: return StoreError(.local, operation, key: key, message: description)
        default: break
        }
        return StoreError(.damaged, operation, key: key, message: description)
    }
}
