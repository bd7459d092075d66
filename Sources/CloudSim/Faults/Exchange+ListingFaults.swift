/// A page as it is to be sent: front ends take the token from here when it says so.
package struct FaultyListPage {
    package var page: ListPage
    /// Send exactly this as the next token, whatever `page.next` says.
    package var forcedToken: String?
    /// Say that the listing is truncated but name no token.
    package var hidesToken = false

    init(page: ListPage) {
        self.page = page
    }

    /// True when the answer is to say that more follows.
    package var isTruncated: Bool { page.next != nil || forcedToken != nil || hidesToken }
}

extension Exchange {
    func listWithFaults(_ bucket: Bucket, _ query: ListQuery, token: String?) -> FaultyListPage {
        var result = FaultyListPage(page: bucket.list(query))
        for fault in faults {
            let happened: Bool
            switch fault.rule.action {
            case .listRepeatToken: happened = repeatToken(token, &result)
            case .listNoToken: happened = hideToken(&result)
            case .listUnsorted: happened = swapNeighbours(fault.rule, &result.page)
            case .listDuplicate: happened = duplicate(fault.rule, &result.page)
            case .listHideKey: happened = hide(fault.rule, &result.page)
            case .listEmptyPage: happened = empty(&result.page)
            default: happened = false
            }
            if happened { plan.didFire(fault) }
        }
        return result
    }

    private func repeatToken(_ token: String?, _ result: inout FaultyListPage) -> Bool {
        guard let token else { return false }
        result.forcedToken = token
        return true
    }

    private func hideToken(_ result: inout FaultyListPage) -> Bool {
        result.hidesToken = true
        return true
    }

    private func swapNeighbours(_ rule: FaultRule, _ page: inout ListPage) -> Bool {
        guard page.entries.count >= 2 else { return false }
        var first = page.entries.count / 2 - 1
        if let pattern = rule.key.map(Glob.init) {
            guard let found = page.entries.dropLast().firstIndex(where: { pattern.matches($0.name.bytes) }) else {
                return false
            }
            first = found
        }
        page.entries.swapAt(first, first + 1)
        return true
    }

    private func duplicate(_ rule: FaultRule, _ page: inout ListPage) -> Bool {
        let pattern = Glob(rule.key ?? "*")
        guard let index = page.entries.firstIndex(where: { pattern.matches($0.name.bytes) }) else { return false }
        page.entries.insert(page.entries[index], at: index)
        return true
    }

    private func hide(_ rule: FaultRule, _ page: inout ListPage) -> Bool {
        let pattern = Glob(rule.key ?? "*")
        let before = page.entries.count
        page.entries.removeAll { pattern.matches($0.name.bytes) }
        return page.entries.count != before
    }

    private func empty(_ page: inout ListPage) -> Bool {
        guard let first = page.entries.first else { return false }
        page.entries = []
        page.next = first.name
        return true
    }
}
