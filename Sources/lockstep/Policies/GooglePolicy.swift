import ObjectStores
import ReplicationModel

/// The permissions that a call needs. Source: Cloud Storage documentation, "IAM permissions for JSON methods" and "… for XML methods".
enum GooglePermissions {
    /// Checked on the bucket.
    static func bucketPermissions(_ operation: StoreOperation) -> [String] {
        switch operation {
        case .list: ["storage.objects.list"]
        case .openUploads: [listsUploads, "storage.objects.list"]
        default: []
        }
    }

    /// Checked on objects. Who replaces an object needs the right to delete it. Large objects gather under a temporary name and are
    /// moved, or copied and deleted, to their own.
    static func objectPermissions(_ operation: StoreOperation) -> [String] {
        switch operation {
        case .list, .openUploads: []
        case .head, .read: ["storage.objects.get"]
        case .put: ["storage.objects.create", "storage.objects.delete"]
        case .beginUpload: ["storage.multipartUploads.create", "storage.objects.create"]
        case .uploadPart: ["storage.multipartUploads.create", "storage.objects.create"]
        case .completeUpload:
            [
                "storage.multipartUploads.create", "storage.objects.create", "storage.objects.delete",
                "storage.objects.get", "storage.objects.move", "storage.objects.update",
            ]
        case .listParts: ["storage.multipartUploads.listParts"]
        case .abortUpload: ["storage.multipartUploads.abort", "storage.objects.delete"]
        case .copy: ["storage.objects.create", "storage.objects.delete", "storage.objects.get"]
        // Cloud Storage has no such call.
        case .copyPart: []
        case .delete: ["storage.objects.delete"]
        }
    }

    static let listsUploads = "storage.multipartUploads.list"

    /// Where large objects gather before they get their names; of the bucket, not of the location.
    static let stagingPrefix = ".lockstep/uploads/"
}

/// A custom role, as `gcloud iam roles create --file` takes it.
private struct CustomRole: Encodable {
    var title: String
    var description: String
    var stage = "GA"
    var includedPermissions: [String]
}

/// A binding of a bucket's policy, version 3.
private struct RoleBinding: Encodable {
    struct Condition: Encodable {
        var title: String
        var description: String
        var expression: String
    }

    var role: String
    var members: [String]
    var condition: Condition?
}

extension Policy {
    static func google(_ use: PolicyUse) throws(CommandFailure) -> Policy {
        let name =
            "lockstep_\(use.side.rawValue)_"
            + use.location.bucket.prefix(40).map { $0.isLetter || $0.isNumber ? $0 : "_" }
        let everywhere = use.operations(.objects)
        let own = use.operations(.own)
        var listing = Set(everywhere.union(own).flatMap(GooglePermissions.bucketPermissions))
        let objects = Set(everywhere.flatMap(GooglePermissions.objectPermissions))
        let ownObjects = Set(own.flatMap(GooglePermissions.objectPermissions)).subtracting(objects)
        var roles: [(suffix: String, permissions: Set<String>, expression: String?)] = []
        let bucket = "projects/_/buckets/\(use.location.bucket)"
        let prefix = try literal(use.prefix)
        if prefix.isEmpty, ownObjects.isEmpty {
            roles = [("", listing.union(objects), nil)]
        } else {
            // Asked of the bucket, where a condition on names of objects never holds.
            if !prefix.isEmpty, listing.remove(GooglePermissions.listsUploads) != nil {
                roles.append(("_uploads", [GooglePermissions.listsUploads], nil))
            }
            roles.append(
                (
                    "", listing.union(objects),
                    prefix.isEmpty
                        ? nil : expression(bucket, prefix, staging: everywhere.contains(.completeUpload))
                ))
            if !ownObjects.isEmpty {
                roles.append(
                    (
                        "_own", ownObjects,
                        expression(bucket, prefix + ".lockstep/", staging: own.contains(.completeUpload))
                    ))
            }
        }
        var documents: [Document] = []
        for role in roles {
            documents.append(
                try Document(
                    "custom-role",
                    CustomRole(
                        title: name + role.suffix, description: "lockstep at \(use.location) as a \(use.side.rawValue)",
                        includedPermissions: role.permissions.sorted())))
            documents.append(
                try Document(
                    "role-binding",
                    RoleBinding(
                        role: "projects/PROJECT/roles/\(name)\(role.suffix)",
                        members: ["serviceAccount:NAME@PROJECT.iam.gserviceaccount.com"],
                        condition: role.expression.map {
                            RoleBinding.Condition(
                                title: name + role.suffix, description: "only what lockstep works on", expression: $0)
                        })))
        }
        return Policy(cloud: "google", documents: documents, notes: try notes(use, roles.map { name + $0.suffix }))
    }

    private static func notes(_ use: PolicyUse, _ roles: [String]) throws(CommandFailure) -> [String] {
        var notes: [String] = []
        for role in roles {
            notes.append("gcloud iam roles create \(role) --project PROJECT --file ROLE.json")
            notes.append(
                "gcloud storage buckets add-iam-policy-binding gs://\(use.location.bucket) --member MEMBER "
                    + "--role projects/PROJECT/roles/\(role) --condition-from-file CONDITION.json (the binding's condition)"
            )
        }
        if !use.prefix.isEmpty { notes.append("conditions need uniform bucket-level access") }
        for key in use.keys {
            notes.append(
                "the key is used by the service's agent, not by lockstep: gcloud kms keys add-iam-policy-binding \(key) "
                    + "--member serviceAccount:service-PROJECT_NUMBER@gs-project-accounts.iam.gserviceaccount.com "
                    + "--role roles/cloudkms.cryptoKeyEncrypterDecrypter")
        }
        if let queue = use.queue { notes.append(try note(queue: queue)) }
        return notes
    }

    /// Of a queue whose cloud is not that of the source.
    static func google(queue: String) throws(CommandFailure) -> Policy {
        Policy(cloud: "google", documents: [], notes: [try note(queue: queue)])
    }

    /// Of the key that opens a vault.
    /// - Parameter encrypts: vaults are made, or get other keys.
    static func google(vaultKey key: String, encrypts: Bool) -> Policy {
        let role = encrypts ? "cryptoKeyEncrypterDecrypter" : "cryptoKeyDecrypter"
        return Policy(
            cloud: "google", documents: [],
            notes: ["gcloud kms keys add-iam-policy-binding \(key) --member MEMBER --role roles/cloudkms.\(role)"])
    }

    private static func note(queue: String) throws(CommandFailure) -> String {
        guard queue.hasPrefix("projects/"), queue.contains("/subscriptions/") else {
            throw CommandFailure(.usage, "\(queue): a queue of Google's is projects/PROJECT/subscriptions/NAME")
        }
        return
            "gcloud pubsub subscriptions add-iam-policy-binding \(queue) --member MEMBER --role roles/pubsub.subscriber"
    }

    /// A condition that holds for objects below the prefix and for listings of it. Source: "Overview of IAM Conditions", resource names and
    /// the attribute `objectListPrefix`.
    private static func expression(_ bucket: String, _ prefix: String, staging: Bool) -> String {
        var terms = [
            "resource.name.startsWith(\"\(bucket)/objects/\(prefix)\")",
            "api.getAttribute(\"storage.googleapis.com/objectListPrefix\", \"\").startsWith(\"\(prefix)\")",
        ]
        if staging {
            let staging = GooglePermissions.stagingPrefix
            terms.append("resource.name.startsWith(\"\(bucket)/objects/\(staging)\")")
            terms.append(
                "api.getAttribute(\"storage.googleapis.com/objectListPrefix\", \"\").startsWith(\"\(staging)\")")
        }
        return terms.joined(separator: " || ")
    }

    private static func literal(_ prefix: String) throws(CommandFailure) -> String {
        guard !prefix.contains("\""), !prefix.contains("\\") else {
            throw CommandFailure(
                .usage, "\(prefix): quotes and backslashes in a prefix cannot be written in an IAM condition")
        }
        return prefix
    }
}
