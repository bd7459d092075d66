/// The versions of the service that a request may name in `x-ms-version`.
///
/// They are dates, so text order is time order.
enum AzureVersion {
    private static let known: Set<String> = [
        "2009-09-19", "2011-08-18", "2012-02-12", "2013-08-15", "2014-02-14", "2015-02-21", "2015-04-05", "2015-07-08",
        "2015-12-11", "2016-05-31", "2017-04-17", "2017-07-29", "2017-11-09", "2018-03-28", "2018-06-17", "2018-11-09",
        "2019-02-02", "2019-07-07", "2019-10-10", "2019-12-12", "2020-02-10", "2020-04-08", "2020-06-12", "2020-08-04",
        "2020-10-02", "2020-12-06", "2021-02-12", "2021-04-10", "2021-06-08", "2021-08-06", "2021-10-04", "2021-12-02",
        "2022-11-02", "2023-01-03", "2023-05-03", "2023-08-03", "2023-11-03", "2024-02-04", "2024-05-04", "2024-08-04",
        "2024-11-04", "2025-01-05", "2025-05-05", "2025-07-05", "2025-11-05", "2026-02-06", "2026-04-06", "2026-06-06",
        "2026-10-06", newest,
    ]

    static let newest = "2026-12-06"
    /// The first version whose requests name an encryption scope.
    static let scopesOnRequests = "2019-02-02"
    /// The first version whose account SAS names an encryption scope and whose service SAS does too.
    static let encryptionScopes = "2020-12-06"
    /// The first version whose service SAS signs the kind of resource and the snapshot.
    static let signedResource = "2018-11-09"
    /// The first version with `startFrom`.
    static let startFrom = "2026-02-06"
    /// The first version that takes bearer tokens.
    static let tokens = "2017-11-09"
    /// The first version whose copies take a token for their source.
    static let sourceTokens = "2020-10-02"
    static let structuredBodies = "2025-01-05"

    static func check(_ version: String) throws(AzureError) {
        guard known.contains(version) else { throw .invalidHeader("x-ms-version", version) }
    }
}
