/// Reads configurations: text to document, document to fields, fields to checked values. All problems are told at once.
package enum ConfigurationReader {
    package static func read(
        _ bytes: [UInt8], in surroundings: ConfigurationSurroundings
    ) throws(ConfigurationError) -> Configuration {
        var document = DocumentReader()
        let root = document.read(bytes)
        var problems = document.problems
        guard let root else { throw ConfigurationError(problems) }
        var shapes = ShapeReader(ReferenceResolver(surroundings: surroundings))
        let keys = ConfigurationKeys(directory: surroundings.directory)
        let fields = shapes.object(root, keys.document, at: TextPosition(line: 1, column: 1), path: "")
        problems += shapes.problems
        guard let fields else { throw ConfigurationError(problems) }
        var builder = ConfigurationBuilder(fields)
        let configuration = builder.build()
        problems += builder.problems
        guard problems.isEmpty else { throw ConfigurationError(problems) }
        return configuration
    }
}
