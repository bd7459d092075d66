import ArgumentParser
import Configuration

extension ByteQuantity: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension TimeQuantity: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension DeleteQuantity: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension PercentQuantity: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
