"""Many callers create private chats at once: which strategy gives each pair one thread, and at what price?"""
