"""The race: many callers create private chats at once. Which strategy gives each pair one thread, at what price?"""
