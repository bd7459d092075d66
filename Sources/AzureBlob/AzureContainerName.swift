package import HTTPStores

extension AzureBlobConfiguration {
    /// The containers of Azure's own whose names no other container may have.
    private static let special: Set = ["$root", "$web", "$logs", "$blobchangefeed"]

    /// Refuses what no container can be called.
    package func check(container: String) throws(SettingError) {
        guard !Self.special.contains(container) else { return }
        let rule =
            "a container's name has 3 to 63 lower-case letters, digits and '-', which stands alone and not at the ends"
        try ContainerName.check(container, length: isAzure ? 3...63 : 1...63, rule: rule) { byte in
            ContainerName.isLowercaseOrDigit(byte) || byte == UInt8(ascii: "-")
        }
        guard !container.contains("--"), container.first != "-", container.last != "-" else {
            throw SettingError("location", message: rule)
        }
    }
}
