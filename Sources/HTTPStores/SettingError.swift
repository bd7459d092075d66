package import ObjectStores

/// A setting that cannot be used, as far as that shows without asking anybody: which one, why, and what to write instead. Never quotes a
/// secret.
package struct SettingError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Its key in a configuration file; nil for what no such file says: variables, files that are looked for.
    package var setting: String?
    package var message: String
    /// Something is not on this machine that the setting refers to. On the one that uses it, it may be.
    package var dependsOnMachine: Bool

    package init(_ setting: String? = nil, message: String, dependsOnMachine: Bool = false) {
        self.setting = setting
        self.message = message
        self.dependsOnMachine = dependsOnMachine
    }

    package var description: String { setting.map { "\($0): \(message)" } ?? message }

    /// The same, of the setting from which the value came.
    package func about(_ setting: String?) -> SettingError {
        SettingError(setting, message: message, dependsOnMachine: dependsOnMachine)
    }
}

extension StoreError {
    /// Who has no usable settings has no credentials.
    package init(_ error: SettingError) {
        self.init(.unauthenticated, .head, message: error.message)
    }
}
