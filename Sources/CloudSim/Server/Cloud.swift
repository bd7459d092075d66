/// One of the three clouds whose HTTP API is simulated.
package enum Cloud: String, CaseIterable, Codable, Sendable {
    case s3
    case gcs
    case azure
}
