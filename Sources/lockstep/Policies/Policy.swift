import Foundation
import ObjectStores
import ReplicationModel

/// The rights of one side in its cloud's own words.
struct Policy: Sendable {
    /// One file that the cloud's tools take.
    struct Document: Sendable {
        /// What it is, as a stable word: `iam-policy`, `custom-role`, `role-binding`, `role-definition`, `role-assignment`.
        var kind: String
        /// JSON, indented.
        var json: String
    }

    var cloud: String
    var documents: [Document]
    /// How to put it into effect, and what to know, a line each.
    var notes: [String]

    init(cloud: String, documents: [Document], notes: [String]) {
        self.cloud = cloud
        self.documents = documents
        self.notes = notes
    }

    init(for use: PolicyUse) throws(CommandFailure) {
        switch use.location.service {
        case .s3: self = try .aws(use)
        case .gs: self = try .google(use)
        case .az: self = try .azure(use)
        case .file, .memory:
            self.init(
                cloud: "none", documents: [],
                notes: [
                    "\(use.location) is a directory: the process needs to "
                        + (use.side == .source ? "read it and enter every directory in it" : "read and write it")
                ])
        }
    }
}

extension Policy {
    /// What one call needs, in the cloud's words; empty for directories.
    static func permissions(_ operation: StoreOperation, in service: ObjectLocation.Service) -> [String] {
        switch service {
        case .s3: AWSPermissions.bucketActions(operation) + AWSPermissions.objectActions(operation)
        case .gs: GooglePermissions.bucketPermissions(operation) + GooglePermissions.objectPermissions(operation)
        case .az: AzurePermissions.dataActions(operation)
        case .file, .memory: []
        }
    }
}

extension Policy.Document {
    init(_ kind: String, _ content: some Encodable) throws(CommandFailure) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        do {
            self.init(kind: kind, json: String(decoding: try encoder.encode(content), as: UTF8.self))
        } catch {
            throw CommandFailure(.internalError, "the policy could not be written as JSON: \(error)")
        }
    }
}
