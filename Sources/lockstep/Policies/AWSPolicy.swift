import ObjectStores
import ReplicationModel

/// The actions that a call needs. Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon S3".
enum AWSPermissions {
    /// Of the bucket.
    static func bucketActions(_ operation: StoreOperation) -> [String] {
        switch operation {
        case .list: ["s3:ListBucket"]
        case .openUploads: ["s3:ListBucketMultipartUploads"]
        default: []
        }
    }

    /// Of objects.
    static func objectActions(_ operation: StoreOperation) -> [String] {
        switch operation {
        case .list, .openUploads: []
        case .head, .read: ["s3:GetObject"]
        case .put, .beginUpload, .uploadPart, .completeUpload: ["s3:PutObject"]
        case .copy, .copyPart: ["s3:GetObject", "s3:PutObject"]
        case .listParts: ["s3:ListMultipartUploadParts"]
        case .abortUpload: ["s3:AbortMultipartUpload"]
        case .delete: ["s3:DeleteObject"]
        }
    }
}

/// An IAM policy (Version 2012-10-17). Source: IAM User Guide, "IAM JSON policy elements reference".
private struct IAMPolicy: Encodable {
    struct Statement: Encodable {
        var sid: String
        var effect = "Allow"
        var action: [String]
        var resource: String
        var condition: [String: [String: [String]]]?

        enum CodingKeys: String, CodingKey {
            case sid = "Sid"
            case effect = "Effect"
            case action = "Action"
            case resource = "Resource"
            case condition = "Condition"
        }
    }

    var version = "2012-10-17"
    var statement: [Statement]

    enum CodingKeys: String, CodingKey {
        case version = "Version"
        case statement = "Statement"
    }
}

extension Policy {
    static func aws(_ use: PolicyUse) throws(CommandFailure) -> Policy {
        var statements: [IAMPolicy.Statement] = []
        func allow(
            _ sid: String, _ actions: Set<String>, _ resource: String, _ condition: [String: [String: [String]]]? = nil
        ) {
            guard !actions.isEmpty else { return }
            statements.append(
                IAMPolicy.Statement(sid: sid, action: actions.sorted(), resource: resource, condition: condition))
        }
        let bucket = "arn:aws:s3:::\(use.location.bucket)"
        let prefix = try literal(use.prefix)
        let everywhere = use.operations(.objects)
        let own = use.operations(.own)
        let all = everywhere.union(own)
        // A missing object is answered with 404 only where its bucket may be listed, and a HEAD names no prefix: hence IfExists.
        allow(
            "ListObjects", all.contains(.list) ? ["s3:ListBucket"] : [], bucket,
            prefix.isEmpty ? nil : ["StringLikeIfExists": ["s3:prefix": [prefix + "*"]]])
        allow(
            "ListUploads", Set(all.subtracting([.list]).flatMap(AWSPermissions.bucketActions)), bucket)
        var actions = Set(everywhere.flatMap(AWSPermissions.objectActions))
        if use.tasks.contains(.check) { actions.insert("s3:GetObjectAttributes") }
        allow("Objects", actions, "\(bucket)/\(prefix)*")
        allow(
            "OwnFolder", Set(own.flatMap(AWSPermissions.objectActions)).subtracting(actions),
            "\(bucket)/\(prefix).lockstep/*")
        for (index, key) in use.keys.enumerated() {
            guard key.hasPrefix("arn:") else {
                throw CommandFailure(
                    .usage, "\(key): a policy names a key by its ARN, arn:aws:kms:REGION:ACCOUNT:key/ID")
            }
            allow(
                "Key\(index + 1)",
                use.side != .source && all.contains(.put) ? ["kms:Decrypt", "kms:GenerateDataKey"] : ["kms:Decrypt"],
                key)
        }
        if let queue = use.queue {
            statements.append(try queueStatement(queue))
        }
        var notes = [
            attaching("lockstep-\(use.side.rawValue)-\(use.location.bucket)"),
            "in China write arn:aws-cn: for arn:aws:, in GovCloud arn:aws-us-gov:",
        ]
        if !prefix.isEmpty {
            notes.append(
                "S3 answers for a missing object with 404 only to who may list without naming a prefix: so the names, not the contents, "
                    + "of other objects in the bucket can be listed. A bucket of its own avoids that")
        }
        return Policy(
            cloud: "aws", documents: [try Document("iam-policy", IAMPolicy(statement: statements))], notes: notes)
    }

    /// Of a queue whose cloud is not that of the source.
    static func aws(queue: String) throws(CommandFailure) -> Policy {
        try aws([try queueStatement(queue)], name: "lockstep-events")
    }

    /// Of the key that opens a vault.
    /// - Parameter encrypts: vaults are made, or get other keys.
    static func aws(vaultKey key: String, encrypts: Bool) throws(CommandFailure) -> Policy {
        guard key.hasPrefix("arn:") else {
            throw CommandFailure(
                .usage, "\(key): a policy names a key by its ARN, arn:aws:kms:REGION:ACCOUNT:key/ID")
        }
        let actions = ["kms:Decrypt"] + (encrypts ? ["kms:Encrypt"] : [])
        return try aws(
            [IAMPolicy.Statement(sid: "VaultKey", action: actions, resource: key)], name: "lockstep-vault-key")
    }

    private static func aws(_ statements: [IAMPolicy.Statement], name: String) throws(CommandFailure) -> Policy {
        Policy(
            cloud: "aws", documents: [try Document("iam-policy", IAMPolicy(statement: statements))],
            notes: [attaching(name)])
    }

    private static func attaching(_ name: String) -> String {
        "attach it to the user or role: aws iam put-role-policy --role-name ROLE --policy-name \(name) --policy-document file://FILE"
    }

    private static func queueStatement(_ queue: String) throws(CommandFailure) -> IAMPolicy.Statement {
        IAMPolicy.Statement(
            sid: "Events", action: ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:ReceiveMessage"],
            resource: try queueARN(queue))
    }

    /// Text in which nothing is a wildcard or a variable.
    private static func literal(_ prefix: String) throws(CommandFailure) -> String {
        for sign in ["*", "?", "$"] where prefix.contains(sign) {
            throw CommandFailure(.usage, "\(prefix): \(sign) in a prefix cannot be written in an IAM policy")
        }
        return prefix
    }

    /// `https://sqs.REGION.amazonaws.com/ACCOUNT/NAME` as an ARN.
    private static func queueARN(_ url: String) throws(CommandFailure) -> String {
        if url.hasPrefix("arn:aws"), url.contains(":sqs:") { return url }
        let parts = url.split(separator: "/")
        guard parts.count == 4, parts[1].hasPrefix("sqs."), parts[1].contains(".amazonaws.com") else {
            throw CommandFailure(
                .usage, "\(url): a queue of Amazon's is https://sqs.REGION.amazonaws.com/ACCOUNT/NAME or its ARN")
        }
        let region = parts[1].split(separator: ".")[1]
        let partition = region.hasPrefix("cn-") ? "aws-cn" : region.hasPrefix("us-gov-") ? "aws-us-gov" : "aws"
        return "arn:\(partition):sqs:\(region):\(parts[2]):\(parts[3])"
    }
}
