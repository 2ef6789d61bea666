# What no template may ask for unless it is granted by name.
#
# input.template: the resolved template. input.signer: {"key_id", "algorithm"}, or null where signatures are not required.
# data.grants.tools: {tool: [patterns of template names]} for tools that are granted in spite of the words below.
package factory.template

max_output_tokens := 65536

max_tools := 64

# Words that mark a tool as dangerous: "run_shell" and "RunShell" have the words "run" and "shell", "HTTPGet" and "http2get" have
# "http" and "get".
danger := {
	"shell": "runs commands",
	"bash": "runs commands",
	"sh": "runs commands",
	"zsh": "runs commands",
	"ksh": "runs commands",
	"fish": "runs commands",
	"cmd": "runs commands",
	"command": "runs commands",
	"powershell": "runs commands",
	"terminal": "runs commands",
	"exec": "runs programs",
	"execute": "runs programs",
	"spawn": "runs programs",
	"subprocess": "runs programs",
	"popen": "runs programs",
	"eval": "runs code",
	"interpreter": "runs code",
	"python": "runs code",
	"node": "runs code",
	"sudo": "raises privileges",
	"network": "reaches the network",
	"http": "reaches the network",
	"https": "reaches the network",
	"fetch": "reaches the network",
	"curl": "reaches the network",
	"wget": "reaches the network",
	"socket": "reaches the network",
	"tcp": "reaches the network",
	"udp": "reaches the network",
	"ssh": "reaches the network",
	"browser": "reaches the network",
	"download": "reaches the network",
	"upload": "reaches the network",
	"request": "reaches the network",
	"telnet": "reaches the network",
	"ftp": "reaches the network",
	"sftp": "reaches the network",
	"netcat": "reaches the network",
	"nc": "reaches the network",
	"mkdir": "changes files",
}

# Two words that are dangerous together: a verb, and what it is done to.
pairs := [
	{
		"verbs": {"write", "create", "delete", "remove", "edit", "append", "move", "rename", "truncate", "chmod", "chown", "patch", "save", "copy", "put", "overwrite"},
		"things": {"file", "files", "fs", "filesystem", "dir", "directory", "path", "disk"},
		"reason": "changes files",
	},
	{
		"verbs": {"run", "start", "launch", "invoke", "os"},
		"things": {"code", "script", "program", "process", "python", "binary", "system"},
		"reason": "runs programs",
	},
]

# Words written together.
glued := {
	"shell": "runs commands",
	"runcommand": "runs commands",
	"runcmd": "runs commands",
	"execcmd": "runs commands",
	"subprocess": "runs programs",
	"runprogram": "runs programs",
	"runcode": "runs code",
	"execcode": "runs code",
	"codeexec": "runs code",
	"pyexec": "runs code",
	"evalcode": "runs code",
	"pyeval": "runs code",
	"writefile": "changes files",
	"filewrite": "changes files",
	"deletefile": "changes files",
	"httprequest": "reaches the network",
	"httpget": "reaches the network",
	"webfetch": "reaches the network",
}

deny contains denial if {
	some tool in input.template.tools
	not granted(tool)
	some reason in reasons(tool)
	denial := {"rule": "dangerous_tool", "message": sprintf("the tool %s %s and is not granted: take it out of /tools, or grant it by name under grants.tools in data.json of the policy directory", [tool, reason])}
}

deny contains denial if {
	input.template.model.max_output_tokens > max_output_tokens
	denial := {"rule": "output_tokens", "message": sprintf("model.max_output_tokens is above %d", [max_output_tokens])}
}

deny contains denial if {
	count(input.template.tools) > max_tools
	denial := {"rule": "tool_count", "message": sprintf("more than %d tools", [max_tools])}
}

granted(tool) if {
	some pattern in data.grants.tools[tool]
	glob.match(pattern, null, input.template.name)
}

# "HTTPGet" ends its acronym before "Get", "HTTPs" after it, and "ExEc" is one word: a word that is found in any of these ways counts.
words(tool) := {lower(word) |
	some written in {tool, regex.replace(tool, `([A-Z]+)([A-Z][a-z])`, "${1}_${2}"), lower(tool)}
	some word in regex.find_n(`[A-Z]?[a-z]+|[A-Z]+`, written, -1)
}

reasons(tool) := {reason | some reason in union({by_word(words(tool)), by_pair(words(tool)), by_glue(lower(tool))})}

by_word(found) := {reason |
	some word in found
	reason := danger[word]
}

by_pair(found) := {pair.reason |
	some pair in pairs
	count(found & pair.verbs) > 0
	count(found & pair.things) > 0
}

by_glue(name) := {reason |
	some part, reason in glued
	contains(name, part)
}
