import ObjectStores
import ReplicationModel

/// The data actions that a call needs. Source: "Authorize access to data using Microsoft Entra ID: permissions for blob service operations".
enum AzurePermissions {
    private static let blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/"

    static let read = blobs + "read"
    static let write = blobs + "write"
    static let delete = blobs + "delete"

    static func dataActions(_ operation: StoreOperation) -> [String] {
        switch operation {
        // Azure lists unfinished uploads as blobs without content.
        case .list, .head, .read, .listParts, .openUploads: [read]
        // Blocks are blobs that are being written.
        case .put, .beginUpload, .uploadPart, .completeUpload: [write]
        // Uncommitted blocks go by themselves, there is no call for it.
        case .abortUpload: []
        case .copy, .copyPart: [read, write]
        case .delete: [delete]
        }
    }
}

/// A custom role, as `az role definition create --role-definition` takes it.
private struct RoleDefinition: Encodable {
    var name: String
    var isCustom = true
    var description: String
    var actions: [String] = []
    var dataActions: [String]
    var assignableScopes: [String]

    enum CodingKeys: String, CodingKey {
        case name = "Name"
        case isCustom = "IsCustom"
        case description = "Description"
        case actions = "Actions"
        case dataActions = "DataActions"
        case assignableScopes = "AssignableScopes"
    }
}

private struct RoleAssignment: Encodable {
    var role: String
    var scope: String
    var condition: String?
    var conditionVersion: String?
}

extension Policy {
    static func azure(_ use: PolicyUse) throws(CommandFailure) -> Policy {
        let scope =
            "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Storage/storageAccounts/\(use.location.account)"
            + "/blobServices/default/containers/\(use.location.bucket)"
        // Narrower scopes than a resource group can be assigned to, but not assignable.
        let group = "/subscriptions/SUBSCRIPTION/resourceGroups/GROUP"
        let title = "lockstep-\(use.side.rawValue)-\(use.location.account)-\(use.location.bucket)"
        let prefix = try literal(use.prefix)
        let everywhere = Set(use.operations(.objects).flatMap(AzurePermissions.dataActions))
        let own = Set(use.operations(.own).flatMap(AzurePermissions.dataActions)).subtracting(everywhere)
        var documents: [Document] = []
        for (name, actions, place) in [
            (title, everywhere, prefix),
            ("\(title)-own", own, prefix + ".lockstep/"),
        ] where !actions.isEmpty {
            documents.append(
                try Document(
                    "role-definition",
                    RoleDefinition(
                        name: name, description: "lockstep at \(use.location) as a \(use.side.rawValue)",
                        dataActions: actions.sorted(), assignableScopes: [group])))
            documents.append(
                try Document(
                    "role-assignment",
                    RoleAssignment(
                        role: name, scope: scope,
                        condition: place.isEmpty ? nil : condition(actions.sorted(), place),
                        conditionVersion: place.isEmpty ? nil : "2.0")))
        }
        var notes = [
            "az role definition create --role-definition ROLE.json",
            "az role assignment create --assignee PRINCIPAL --role NAME --scope SCOPE [--condition … --condition-version 2.0]",
        ]
        if !use.keys.isEmpty { notes.append("an encryption scope needs no right of its own: the account uses its key") }
        if let queue = use.queue { notes.append(try note(queue: queue)) }
        return Policy(cloud: "azure", documents: documents, notes: notes)
    }

    /// Of a queue whose cloud is not that of the source.
    static func azure(queue: String) throws(CommandFailure) -> Policy {
        Policy(cloud: "azure", documents: [], notes: [try note(queue: queue)])
    }

    /// Of the key that opens a vault: there is no smaller role that also reads the key's version.
    static func azure(vaultKey key: String) -> Policy {
        Policy(
            cloud: "azure", documents: [],
            notes: [
                "az role assignment create --assignee PRINCIPAL --role \"Key Vault Crypto User\" --scope SCOPE_OF_KEY (of \(key))"
            ])
    }

    private static func note(queue: String) throws(CommandFailure) -> String {
        guard queue.hasPrefix("https://"), queue.contains(".queue.") else {
            throw CommandFailure(
                .usage, "\(queue): a queue of Azure's is https://ACCOUNT.queue.core.windows.net/NAME")
        }
        return
            "az role assignment create --assignee PRINCIPAL --role \"Storage Queue Data Contributor\" --scope SCOPE_OF_QUEUE"
    }

    /// Source: "Azure role assignment condition format and syntax"; listings name a prefix where other calls name a path.
    private static func condition(_ actions: [String], _ prefix: String) -> String {
        let path =
            "@Resource[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:path] StringLike '\(prefix)*'"
        let listed =
            "@Request[Microsoft.Storage/storageAccounts/blobServices/containers/blobs:prefix] StringLike '\(prefix)*'"
        var clauses: [String] = []
        for action in actions {
            if action == AzurePermissions.read {
                clauses.append(
                    "((!(ActionMatches{'\(action)'} AND SubOperationMatches{'Blob.List'})) OR (\(listed)))")
                clauses.append(
                    "((!(ActionMatches{'\(action)'} AND NOT SubOperationMatches{'Blob.List'})) OR (\(path)))")
            } else {
                clauses.append("((!(ActionMatches{'\(action)'})) OR (\(path)))")
            }
        }
        return clauses.joined(separator: " AND ")
    }

    private static func literal(_ prefix: String) throws(CommandFailure) -> String {
        guard !prefix.contains("'"), !prefix.contains("*"), !prefix.contains("?") else {
            throw CommandFailure(
                .usage, "\(prefix): quotes and wildcards in a prefix cannot be written in a role's condition")
        }
        return prefix
    }
}
