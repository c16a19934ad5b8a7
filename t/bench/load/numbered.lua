-- Requests for wrk: bodies of HEAD NUMBER TAIL. The numbers come from a file
-- with one per line, each once, or are random below a limit and seven digits
-- wide. Prints JSON like distinct.lua.
--
--     wrk -s numbered.lua URL -- HEAD TAIL FILE|LIMIT SEED

dofile(debug.getinfo(1, "S").source:match("@(.*/)") .. "distinct.lua")

local before, after, numbers, limit
local at = 0

local function read(name)
    local lines, width = {}, 0
    for line in io.lines(name) do
        lines[#lines + 1] = line
        width = math.max(width, #line)
    end
    for i, line in ipairs(lines) do
        lines[i] = string.rep(" ", width - #line) .. line
    end
    return lines
end

function init(args)
    limit = tonumber(args[3])
    math.randomseed(tonumber(args[4]))
    numbers = not limit and read(args[3])
    local mark = string.rep("7", limit and 7 or #numbers[1])
    local whole = wrk.format("POST", wrk.path, nil, args[1] .. mark .. args[2])
    local place = string.find(whole, mark, 1, true)
    before = string.sub(whole, 1, place - 1)
    after = string.sub(whole, place + #mark)
end

function request()
    local number
    if limit then
        number = string.format("%07d", math.random(0, limit - 1))
    else
        at = math.min(at + 1, #numbers)
        number = numbers[at]
    end
    return before .. number .. after
end
