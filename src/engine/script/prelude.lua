-- What scripts find: Lua's own libraries without what reaches outside, and the server's functions. Run once
-- for each machine, with what Rust gives; the answer makes the surroundings of one script.
local given = ...
local error, type, select, setmetatable, getmetatable = error, type, select, setmetatable, getmetatable
local xpcall, rawpcall, loadstring = xpcall, pcall, loadstring
local resume, unpack = coroutine.resume, unpack
local checked, weigh = given.checked, given.weigh

-- A table that can be read, but not changed.
local function guarded(lib)
    return setmetatable({}, {
        __index = lib,
        __newindex = function() error("Attempt to modify a readonly table", 2) end,
        __metatable = false,
    })
end

-- An error that ends the run is not for scripts to catch: whoever would have caught it raises it again.
local globals = {
    _VERSION = _VERSION, assert = assert, collectgarbage = function() return 0 end, error = error,
    gcinfo = gcinfo, getmetatable = getmetatable, ipairs = ipairs, next = next, pairs = pairs,
    rawequal = rawequal, rawget = rawget, rawset = rawset, select = select, setmetatable = setmetatable,
    tonumber = tonumber, tostring = tostring, type = type,
    pcall = function(...) return checked(rawpcall(...)) end,
    xpcall = function(f, handler) return checked(xpcall(f, handler)) end,
    -- Only text: code that was compiled before is believed without a check.
    loadstring = function(text, name)
        text = text .. ""
        if text:sub(1, 1) == "\27" then return nil, "binary code is not loaded" end
        return loadstring(text, name)
    end,
    unpack = function(list, first, last)
        first, last = first or 1, last or #list
        if last - first >= 8000 then error("too many results to unpack") end
        return unpack(list, first, last)
    end,
}
globals.load = function(reader, name)
    local parts = {}
    while true do
        local part = reader()
        if not part or part == "" then break end
        parts[#parts + 1] = part
    end
    return globals.loadstring(table.concat(parts), name or "=(load)")
end

local strings = {}
for name, code in pairs(string) do strings[name] = code end
strings.dump = nil
-- A pattern can take for ever, and nothing can stop it.
for _, name in ipairs { "find", "match", "gmatch", "gsub", "gfind" } do
    local code = strings[name]
    strings[name] = function(text, pattern, ...)
        weigh(text, pattern)
        return code(text, pattern, ...)
    end
end
strings.rep = function(text, count)
    weigh(text, "")
    return text == "" and "" or string.rep(text, count)
end
local of_strings = getmetatable("")
of_strings.__index, of_strings.__metatable = strings, false

local maths = {}
for name, code in pairs(math) do maths[name] = code end
maths.random, maths.randomseed = given.random, given.randomseed

local routines = {}
for name, code in pairs(coroutine) do routines[name] = code end
routines.resume = function(...) return checked(resume(...)) end

local redis = given.redis
local cjson = given.cjson

globals.string, globals.math, globals.table = guarded(strings), guarded(maths), guarded(table)
globals.coroutine, globals.redis = guarded(routines), guarded(redis)
globals.cjson, globals.bit = guarded(cjson), guarded(given.bit)
globals.struct, globals.cmsgpack = guarded(given.struct), guarded(given.cmsgpack)

local surroundings = {
    __index = function(_, name)
        local value = globals[name]
        if value == nil then
            error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
        end
        return value
    end,
    __newindex = function(_, name)
        error(given.no_new_global(tostring(name)), 2)
    end,
    __metatable = false,
}

return function(keys, args)
    local own = { KEYS = keys, ARGV = args }
    own._G = own
    return setmetatable(own, surroundings)
end, function(code)
    return xpcall(code, given.handler)
end
