-- Requests for wrk: NUMBERS numbers of DIGITS digits after the point; all
-- bodies differ, or with the word "same" all are equal. Prints JSON.
--
--     wrk -s distinct.lua URL -- NUMBERS DIGITS START [same]

-- Of the fifteen digits that differ, twelve seldom change and three come from
-- a table, so a request costs wrk little.

local head, front, tail, counter, same
local last = {}

function init(args)
    local parts = {}
    for i = 1, tonumber(args[1]) - 1 do
        parts[i] = string.format("%." .. args[2] .. "f",
                                 (i * 7919 % 1000) / 997)
    end
    local mark = string.rep("7", 15)
    local body = '{"input":[1.' .. mark
                 .. (#parts > 0 and "," or "")
                 .. table.concat(parts, ",") .. "]}"
    local whole = wrk.format("POST", wrk.path, nil, body)
    local at = string.find(whole, mark, 1, true)
    head = string.sub(whole, 1, at - 1)
    tail = string.sub(whole, at + 15)
    counter = tonumber(args[3])
    same = args[4] == "same"
    for i = 0, 999 do
        last[i] = string.format("%03d", i) .. tail
    end
    front = head .. string.format("%012.0f", math.floor(counter / 1000))
end

function request()
    if not same then
        counter = counter + 1
        if counter % 1000 == 0 then
            front = head .. string.format("%012.0f", counter / 1000)
        end
    end
    return front .. last[counter % 1000]
end

function done(summary, latency)
    local e = summary.errors
    io.write(string.format(
        '\nJSON {"requests": %d, "seconds": %.6f, "errors": %d, '
        .. '"p50": %d, "p99": %d, "p999": %d}\n',
        summary.requests, summary.duration / 1e6,
        e.connect + e.read + e.write + e.status + e.timeout,
        latency:percentile(50), latency:percentile(99),
        latency:percentile(99.9)))
end
