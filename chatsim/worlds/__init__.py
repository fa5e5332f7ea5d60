"""Where the chat system runs. Each world implements the ports of `chatsim.chat.ports`."""
