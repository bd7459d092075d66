extension ConfigurationKeys {
    /// A service and the identity that it is asked as. What is left out comes from the environment, as the cloud's own tools have it.
    var cloud: ValueShape { .variants(key: "type", [("s3", s3), ("gs", google), ("az", azure)]) }

    private func common(_ endpoint: String) -> [KeyDeclaration] {
        [
            KeyDeclaration("endpoint", type: .endpoint, "The service's URL; \(endpoint)"),
            KeyDeclaration(
                "anonymous", type: .flag, "Ask without an identity, as public buckets allow.", standard: "false"),
        ]
    }

    private func type(_ name: String) -> KeyDeclaration {
        KeyDeclaration("type", type: .choice([name]), "The kind of service.", required: true)
    }

    private var s3: ObjectShape {
        ObjectShape(
            name: "s3", summary: "Amazon S3 and services that speak its protocol.",
            keys: [
                type("s3"),
                KeyDeclaration(
                    "region", type: .text, "The region to sign for.", standard: "AWS_REGION, else us-east-1"),
                KeyDeclaration("profile", type: .text, "A profile of the AWS shared files.", standard: "AWS_PROFILE"),
                KeyDeclaration("access_key_id", type: .text, "The id of an access key."),
                KeyDeclaration("secret_access_key", type: .secret, "Its secret."),
                KeyDeclaration("session_token", type: .secret, "The token of temporary keys."),
                KeyDeclaration("role_arn", type: .text, "A role to assume."),
                KeyDeclaration("external_id", type: .text, "What the role's trust policy asks for."),
                KeyDeclaration(
                    "role_session_name", type: .text, "The name that CloudTrail shows.", standard: "lockstep"),
                KeyDeclaration("role_duration", type: .duration, "How long the role's keys are valid.", standard: "1h"),
                KeyDeclaration(
                    "web_identity_token_file", type: .path(directory: directory),
                    "A token of another identity provider."),
                KeyDeclaration("sts_endpoint", type: .endpoint, "The token service's URL; that of the region."),
            ] + common("else AWS_ENDPOINT_URL_S3, else Amazon's."))
    }

    private var google: ObjectShape {
        ObjectShape(
            name: "gs", summary: "Google Cloud Storage.",
            keys: [
                type("gs"),
                KeyDeclaration(
                    "profile", type: .text, "Credentials named by GOOGLE_APPLICATION_CREDENTIALS_NAME."),
                KeyDeclaration(
                    "credentials_file", type: .path(directory: directory),
                    "A credentials file in JSON, of any kind that Google's tools make."),
                KeyDeclaration("impersonate", type: .text, "A service account to act as."),
            ] + common("else STORAGE_EMULATOR_HOST, else Google's."))
    }

    private var azure: ObjectShape {
        ObjectShape(
            name: "az", summary: "Azure Blob Storage.",
            keys: [
                type("az"),
                KeyDeclaration("profile", type: .text, "The suffix of the AZURE_STORAGE_… variables."),
                KeyDeclaration("account_key", type: .secret, "A key of the storage account."),
                KeyDeclaration("sas_token", type: .secret, "A shared access signature."),
                KeyDeclaration("connection_string", type: .secret, "A connection string of the storage account."),
                KeyDeclaration("tenant_id", type: .text, "The directory's id."),
                KeyDeclaration("client_id", type: .text, "The application's id."),
                KeyDeclaration("client_secret", type: .secret, "The application's secret."),
                KeyDeclaration(
                    "certificate_file", type: .path(directory: directory),
                    "The application's certificate and key in PEM."),
                KeyDeclaration("certificate_password", type: .secret, "What opens the certificate's key."),
                KeyDeclaration(
                    "federated_token_file", type: .path(directory: directory), "A workload identity's token."),
                KeyDeclaration(
                    "managed_identity", type: .flag, "Ask the virtual machine's identity.", standard: "false"),
                KeyDeclaration(
                    "authority_host", type: .endpoint, "The sign-in service's URL.",
                    standard: "https://login.microsoftonline.com"),
            ] + common("else that of the account."))
    }
}
